"""How much of a correction helps, at every noise level: measured, once per extractor and prior.

What a conditional mean adds is orthogonal to the error that it leaves. With e = x_0 - E[x_0 | x_t],
the error of the prior's mean, and d the correction of that mean towards the features of x_0,

    E <d, e - d> = 0,      so that the slope of e on d      b = E <d, e> / E <d, d>            (1)

is 1 for an exact correction. Where the posterior is no Gaussian, or phi is curved over its width,
a correction promises more than it holds. As long as b is above 1/2 it helps nevertheless: the error
E |e - d|^2 = E |e|^2 - (2 b - 1) E |d|^2 falls. Below, d leads away from the truth, and b d, the
share of it with the least error, is what can be taken. On draws x_0 of the prior itself, noised to
a level, all of this is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fiber_audit.contracts import Extractor, Prior, Problem, data_of
from fiber_audit.sampling import Noise, derive_seed, in_blocks, over, unguided

from .gauss_newton import Effort, Posterior, Trust, corrected
from .trust import AT_ONCE, time_of

ROOT = "moment-matched shares"
DRAWS, STEPS = 32, 50
LEVELS = (50.0, 12.0, 5.0, 2.5, 1.5, 1.0, 0.7, 0.45)
"""sigma / alpha, noisiest first."""
WHOLE = 0.3
"""The level from which on a correction is taken whole."""
CERTAIN = 2.0
"""Standard errors that a slope has to be below 1."""
LEAST = 0.05
"""A smaller share is not worth its evaluations."""


@dataclass(frozen=True)
class Shares:
    """Shares of a correction at levels of sigma / alpha, noisiest first; nothing beyond reach.

    >>> some = Shares(9.0, (4.0, 1.0), (0.2, 0.8))
    >>> [round(some.at(level), 2) for level in (10.0, 9.0, 4.0, 2.0, 1.0, 0.5)]
    [0.0, 0.2, 0.2, 0.5, 0.8, 0.8]
    """

    reach: float = math.inf
    levels: tuple[float, ...] = (1.0,)
    values: tuple[float, ...] = (1.0,)

    def at(self, level: float) -> float:
        """In between, linear in the logarithm of the level; less than LEAST is nothing."""
        if level > self.reach:
            return 0.0
        logs = np.log(self.levels[::-1])
        share = float(np.interp(np.log(level), logs, self.values[::-1]))
        return share if share >= LEAST else 0.0


@torch.no_grad()
def measured(
    extractor: Extractor, prior: Prior, effort: Effort, damping: float, reach: float
) -> Shares:
    """The shares at the levels up to reach, each with its neighbours; the same at every call."""
    noise = Noise([derive_seed(ROOT, i) for i in range(DRAWS)])
    parts = torch.arange(DRAWS).split(AT_ONCE)
    x0 = torch.cat([unguided(prior, noise.select(p), steps=STEPS, eta=1.0) for p in parts])
    levels, seen = [level for level in LEVELS if level <= reach], []
    for level in levels:
        t = time_of(prior.schedule, level)
        z = noise.normal(prior.state_shape, like=x0)
        x = over(prior.schedule.alpha(t), x0) * x0 + over(prior.schedule.sigma(t), x0) * z
        moves = [_moved(extractor, prior, x0[p], x[p], t, effort, damping) for p in parts]
        seen.append(torch.cat(moves))
    values = (share(torch.cat(seen[max(i - 1, 0) : i + 2])) for i in range(len(seen)))
    return Shares(reach, (*levels, WHOLE), (*values, 1.0))


def _moved(
    extractor: Extractor,
    prior: Prior,
    x0: Tensor,
    x: Tensor,
    t: Tensor,
    effort: Effort,
    damping: float,
) -> Tensor:
    """<d, e> and <d, d>, (n, 2) float64, of states x at a time that come from x0."""
    data = data_of(prior, x0)
    problem = in_blocks(Problem(extractor, prior, data, extractor.features(data)))
    posterior = Posterior(problem.prior, x, t)
    point, _, _ = corrected(problem, posterior, Trust.fresh(x, damping), effort)
    d = (point - posterior.mean).double().flatten(1)
    e = (x0 - posterior.mean).double().flatten(1)
    return torch.stack([(d * e).sum(1), d.square().sum(1)], 1)


def share(seen: Tensor) -> float:
    """What can be taken, from rows <d, e> and <d, d>, (n, 2): all, or the slope below 1/2.

    A slope that chance may keep from 1 is 1. What is not a number holds nothing.

    >>> share(torch.tensor([[1.2, 2.0]])), share(torch.tensor([[0.8, 2.0]]))
    (1.0, 0.4)
    >>> share(torch.tensor([[-1.0, 2.0]])), share(torch.zeros(1, 2))
    (0.0, 1.0)
    """
    across, squares = seen.double().unbind(1)
    total = float(squares.sum())
    if not 0 < total < math.inf:
        return float(total == 0)
    slope = float(across.sum()) / total
    error = float((across - slope * squares).norm()) / total
    whole = slope >= 0.5 or slope + CERTAIN * error >= 1
    return 1.0 if whole else round(max(slope, 0.0), 6)
