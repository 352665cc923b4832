"""Fidelity against consistency: every training-free sampler, over its strengths, per prior.

Command   OMP_NUM_THREADS=1 python benchmarks/color_mnist/pareto.py [--priors P] [--queries N]
          [--samplers moment-matched ndtm-5] for some rows only
Writes    benchmarks/results/pareto.csv (what is measured replaces its rows), docs/img/pareto.svg
Expect    latent and pixel: moment-matched to the lower left of NDTM at every strength, for less
          than a quarter of the evaluations. Flow: nearer to the fiber, colours as near to their
          law.
          About 90 minutes of one core for 256 queries on latent or flow; a draw on pixels costs
          ten times as much (the table has --queries 64 there, and --set draws=2 for pixels)

It runs `pareto.toml`; `sweep.py` says what the columns are.
"""

from __future__ import annotations

from pareto_picture import PICTURE, draw
from sweep import sweep

if __name__ == "__main__":
    table = sweep("pareto", __doc__)
    if set(table["prior"]) >= {"latent", "flow", "pixel"}:
        draw(table, PICTURE)
