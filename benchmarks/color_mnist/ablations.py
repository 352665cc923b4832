"""One option at a time: what do NDTM's and moment-matched's options do on Color MNIST?

Command   OMP_NUM_THREADS=1 python benchmarks/color_mnist/ablations.py
Writes    benchmarks/results/ablations.csv
Expect    NDTM: more steps come closer to the fiber, at equal dose (gamma x T) too; kappa and tau
          matter only when large; eta trades fidelity (0) for consistency (1); the re-approximated
          target costs fidelity here. About 40 minutes of one core

It runs `ablations.toml`; `sweep.py` says what the columns are.
"""

from __future__ import annotations

from sweep import sweep

if __name__ == "__main__":
    sweep("ablations", __doc__)
