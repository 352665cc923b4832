"""Fidelity against consistency: every training-free sampler, over its strengths, per prior.

Command   OMP_NUM_THREADS=1 python benchmarks/color_mnist/pareto.py [--priors P] [--queries N]
Writes    benchmarks/results/pareto.csv (rows of these priors are replaced), docs/img/pareto.svg
Expect    latent and pixel: moment-matched to the lower left of NDTM at every strength, for a
          quarter of the evaluations. Flow: as near to the fiber, colours farther from their law.
          About 90 minutes of one core for 256 queries on latent or flow; a draw on pixels costs
          ten times as much (the table has --queries 64 there, and --set draws=2 for pixels)

It runs `pareto.toml`; `sweep.py` says what the columns are.
"""

from __future__ import annotations

from pareto_picture import PICTURE, draw
from sweep import sweep

if __name__ == "__main__":
    draw(sweep("pareto", __doc__), PICTURE)
