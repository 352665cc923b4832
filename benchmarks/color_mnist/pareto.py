"""Fidelity against consistency: every training-free sampler, over its strengths, per prior.

Command   OMP_NUM_THREADS=1 python benchmarks/color_mnist/pareto.py [--priors P] [--queries N]
Writes    benchmarks/results/pareto.csv (rows of these priors are replaced), docs/img/pareto.svg
Expect    moment-matched to the lower left of all others: nearer to the fiber than NDTM at any
          strength, colours at the floor, for a quarter of the evaluations. About two hours of one
          core for latent or flow with 256 queries; a draw on pixels costs ten times as much

It runs `pareto.toml`; `sweep.py` says what the columns are.
"""

from __future__ import annotations

from pareto_picture import PICTURE, draw
from sweep import sweep

if __name__ == "__main__":
    draw(sweep("pareto", __doc__), PICTURE)
