"""The end of a trajectory, moment-matched and without noise: from a state x_t onto the fiber.

Where the posterior of x_0 is narrow enough to be Gaussian, the moment-matched step is exact, and
one particle is as good as many. The last step is relinearised until it is on the fiber (polish).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from fiber_audit.contracts import Problem
from fiber_audit.sampling import noise_of, rms, step

from .gauss_newton import Effort, Posterior, Trust, corrected

DAMPING = 0.01
LINEARISATIONS, DIRECTIONS, TOLERANCE = 2, 8, 0.03
LAST = 0.1
"""The tolerance of the polish, relative."""


@torch.no_grad()
def finished(
    problem: Problem, x: Tensor, times: Tensor, polish: int
) -> tuple[Tensor, Tensor, Tensor]:
    """From x (n, *state_shape) at times[0] to time 0: states, fiber loss (n,) at first and last."""
    trust, losses = Trust.fresh(x, DAMPING), []
    for t, s in pairwise(times):
        x, before, loss, trust = _stepped(problem, x, t, s, trust, polish)
        losses += [before, loss]
    return x, losses[0], losses[-1]


def _stepped(
    problem: Problem, x: Tensor, t: Tensor, s: Tensor, trust: Trust, polish: int
) -> tuple[Tensor, Tensor, Tensor, Trust]:
    """One step; the fiber loss (n,) of x0 before and after its correction."""
    posterior = Posterior(problem.prior, x, t)
    x0, last = posterior.mean, bool(s == 0)
    before = loss = rms(problem.features(x0) - problem.targets)
    if polish:
        effort = Effort(
            LINEARISATIONS + (polish if last else 0), DIRECTIONS, TOLERANCE * (LAST if last else 1)
        )
        x0, loss, trust = corrected(problem, posterior, trust, effort)
    if not last:
        schedule = problem.prior.schedule
        x = step(schedule, x0, noise_of(schedule, x, x0, t), t, s)
    return x0 if last else x, before, loss, trust
