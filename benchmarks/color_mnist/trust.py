"""From which noise level down is a trained prior's Jacobian a covariance, and an exact prior's?

Command   OMP_NUM_THREADS=1 python benchmarks/color_mnist/trust.py      (two minutes)
Writes    benchmarks/results/trust.csv
Expect    an exact prior is trusted everywhere; latent from 3.2, flow from 6.5, pixel from 35 down

Eq. (1) and (2) of plugins/fiber_audit_moment_matched/trust.py on 32 draws of each prior itself.
decided: the share of the variance of draws that the prior's mean knows at that level.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from fiber_audit_color_mnist.priors import LatentDiffusion, LatentFlow, PixelDiffusion
from fiber_audit_moment_matched.trust import DRAWS, LEVELS, ROOT, STEPS, evidence, time_of, unknown

from fiber_audit.contracts import Prior
from fiber_audit.sampling import Noise, derive_seed, unguided
from fiber_audit.testing import gaussian_problem

sys.path.insert(0, str(Path(__file__).parents[1]))
from tabulated import head, write

OUT = Path(__file__).parents[1] / "results" / "trust.csv"


def rows(name: str, prior: Prior) -> list[dict[str, Any]]:
    """One row for each noise level."""
    x0 = unguided(prior, noise(), steps=STEPS, eta=1.0)
    found, whole = [], float(x0.double().var(0).sum())
    for level in LEVELS:
        seen = evidence(prior, x0, time_of(prior.schedule, level), noise())
        found.append(
            {**head(), "prior": name, "sigma_over_alpha": level, **seen._asdict(),
             "trusted": seen.trusted,
             "decided": 1 - unknown(prior, x0, time_of(prior.schedule, level), noise()) / whole}
        )  # fmt: skip
    return found


def noise() -> Noise:
    """That of `reach`."""
    return Noise([derive_seed(ROOT, i) for i in range(DRAWS)])


if __name__ == "__main__":
    torch.set_num_threads(1)
    priors = {
        "gaussian": gaussian_problem(2).prior,
        "latent": LatentDiffusion(),
        "flow": LatentFlow(),
        "pixel": PixelDiffusion(),
    }
    write(OUT, [row for name, prior in priors.items() for row in rows(name, prior)])
