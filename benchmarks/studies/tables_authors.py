"""Are the paper's four fiber losses of HTRU2 those of the authors' second schedule?

Command   OMP_NUM_THREADS=1 python benchmarks/studies/tables_authors.py --htru2 HTRU_2.csv \
              --network htru2.safetensors --prior fits/htru2      (3 minutes)
Writes    benchmarks/results/study_tables_authors.csv
Expect    fiber losses, means over the draws, each within a factor of 1.5 of the published ones

Draws, network and prior are those of tables.py; only what `AuthorsSchedule` says differs.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from tables import SAMPLERS, asked, cases, losses
from torch import Tensor

from fiber_audit.contracts import Prediction, Prior
from fiber_audit.sampling import VPSchedule, over

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from tabulated import head, write  # noqa: E402

OUT = HERE.parent / "results" / "study_tables_authors.csv"
STEPS, TRAINED, CLIP = 200, 1000, 12.0


class AuthorsSchedule(Prior):
    """A diffusion with a linear schedule, stepped as the authors' update steps it.

    Their noise is that of a linear schedule of its own, of 200 steps, between five times the
    smallest and five times the largest beta; the network is told the step of a thousand that it was
    trained with, whose noise is another at high levels. States are clipped at 12 deviations.
    """

    clip = (-CLIP, CLIP)

    def __init__(self, prior: Prior) -> None:
        self.prior, self.network, self.state_shape = prior, prior.network, prior.state_shape
        self.data_range, self.lossless = prior.data_range, prior.lossless
        self.weights_sha256, self.facts = prior.weights_sha256, prior.facts
        longer = TRAINED / STEPS
        beta = torch.linspace(1e-4 * longer, 0.02 * longer, STEPS, dtype=torch.float64)
        self.schedule = VPSchedule((1 - beta).cumprod(0))

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The network's eps at the time that it knows, and x0 by this schedule."""
        told = (self.schedule.index(t) * (TRAINED // STEPS) + 1).float() / TRAINED
        eps = self.prior.predict(x_t, told).eps
        alpha, sigma = (over(f(t), x_t) for f in (self.schedule.alpha, self.schedule.sigma))
        return Prediction((x_t - sigma * eps) / alpha, eps)

    def decode(self, state: Tensor) -> Tensor:
        """As the prior does."""
        return self.prior.decode(state)

    def encode(self, x: Tensor) -> Tensor:
        """As the prior does."""
        return self.prior.encode(x)


if __name__ == "__main__":
    options = asked((__doc__ or "").splitlines()[0])
    torch.set_num_threads(1)
    case, n = [*cases(options)][-1]
    theirs = replace(case, prior=AuthorsSchedule(case.prior))
    ndtm = {name: sampler for name, sampler in SAMPLERS.items() if name.startswith("ndtm")}
    first, rows = head(), []
    for row in losses(theirs, n, ndtm):
        rows.append({**first, "table": case.name, "sampler": "", "statistic": "", "value": None,
                     **dict.fromkeys(("low", "high", "paper")), **row})  # fmt: skip
        write(OUT, rows)
