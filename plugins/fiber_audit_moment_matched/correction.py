"""The correction of the prior's mean: Gauss-Newton on the fiber, in the metric of the posterior.

Notation: x0 mean and V covariance of x_0 given x_t; F feature map phi(decode(.)), J its Jacobian at
the current point x; h target. Around x, the correction minimises

    |h - F(x) - J d|^2 + lambda d' V^-1 d                                                  (1)

over d in the span of a few moves q_i = V J' w_i (Levenberg-Marquardt in the metric of V), the last
move with what it did to the features among them (the secant of a quasi-Newton method).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fiber_audit import over, rms
from fiber_audit.contracts import Problem

from .linearisation import Linearisation
from .posterior import Posterior
from .subspace import Subspace

TRIED = (0.1, 1.0, 10.0)
"""Dampings tried at each linearisation, as multiples of the last one that was taken."""
LEAST, MOST = 1e-7, 1e3
FINEST, COARSEST = 1e-4, 0.5


@dataclass
class Trust:
    """What a trajectory learns about the curvature of phi, row by row (n,).

    damping: lambda. error: the share of the residual that the last linear model got wrong; to solve
    a linear model better than that is wasted (Eisenstat and Walker, 1996). tried, refused: counts
    of linearisations, and of those that lowered no loss. stretch: sum over the steps of the squared
    length of the first correction, in standard deviations.
    """

    damping: Tensor
    error: Tensor
    tried: Tensor
    refused: Tensor
    stretch: Tensor

    @classmethod
    def fresh(cls, like: Tensor, damping: float) -> Trust:
        """Before the first step; like is any tensor of n rows."""
        none = torch.zeros(len(like), device=like.device)
        return cls(none + damping, none + 0.1, none, none, none)


def corrected(
    problem: Problem,
    posterior: Posterior,
    trust: Trust,
    *,
    linearisations: int,
    directions: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Solve Eq. (1) again and again from x = x0; returns the point (n, ...), its fiber loss (n,).

    Each row takes the damping that lowers its loss most, or stays. It is done where its move is
    below the tolerance, in standard deviations, or where no damping lowers its loss.
    """
    x, h = posterior.mean, problem.targets
    before: tuple[Tensor, Tensor, Tensor] | None = None
    loss = torch.full((len(x),), torch.nan, device=x.device)
    busy = torch.ones(len(x), dtype=torch.bool, device=x.device)
    for k in range(linearisations):
        here = Linearisation(problem, posterior, x)
        loss = rms(here.value - h) if k == 0 else loss
        busy = busy & loss.isfinite() & (loss > 0)
        space = Subspace((h - here.value).where(busy[:, None], 0.0))
        if before is not None:
            space.add(*before)
        solved = _explore(here, space, trust, busy, directions, tolerance)
        found = _best_damping(here, x, loss, space, trust, busy)
        length = space.length(space.solve(trust.damping))
        if k == 0:
            trust.stretch = trust.stretch + torch.where(busy, length.square(), 0.0)
        taken = found.taken
        weights = space.solve(found.damping)
        row = over(taken, x).bool()
        before = (
            torch.where(row, space.pull(weights), 0.0),
            torch.where(row, found.x - x, 0.0),
            torch.where(taken[:, None], found.value - here.value, 0.0),
        )
        x, loss = torch.where(row, found.x, x), torch.where(taken, found.loss, loss)
        trust.tried = trust.tried + busy
        trust.refused = trust.refused + (busy & ~taken)
        trust.damping = torch.where(busy, found.damping, trust.damping).clamp(LEAST, MOST)
        trust.error = torch.where(busy, found.error.clamp(FINEST, COARSEST), trust.error)
        busy = busy & taken & (length > tolerance) & ~(solved & (found.error < tolerance))
        if not busy.any():
            break
    return x, loss


def _explore(
    here: Linearisation,
    space: Subspace,
    trust: Trust,
    busy: Tensor,
    directions: int,
    tolerance: float,
) -> Tensor:
    """Add directions, each the residual that those before leave; True where none is left to find.

    This is a Krylov space of J V J', and Eq. (1) solved in it is GMRES with damping.
    """
    c = space.solve(trust.damping)
    left = space.residual - space.image(c)
    goal = space.residual.square().sum(1)
    active, solved = busy, torch.zeros_like(busy)
    for _ in range(directions):
        w = left / left.norm(dim=1, keepdim=True).clamp(min=1e-20)
        found = here.along(w.where(active[:, None], 0.0))
        space.add(found.g, found.q, found.u)
        last, c = c, space.solve(trust.damping)
        change = c - torch.nn.functional.pad(last, (0, 1))
        left = space.residual - space.image(c)
        share = left.square().sum(1) / goal.clamp(min=1e-30)
        still = space.length(change) <= tolerance
        solved = solved | (active & (still | (share <= FINEST**2)))
        active = active & found.ok & ~still & (share > trust.error.square())
        if not active.any():
            break
    return solved


class _Found(NamedTuple):
    """Of each row (n, ...): the best point, its features, loss and damping, and whether it is new.

    error is how far the features are from what the linear model said, as a share of the residual.
    """

    x: Tensor
    value: Tensor
    loss: Tensor
    damping: Tensor
    error: Tensor
    taken: Tensor


def _best_damping(
    here: Linearisation, x: Tensor, loss: Tensor, space: Subspace, trust: Trust, busy: Tensor
) -> _Found:
    """Try every damping: one forward of phi each, no evaluation of the prior."""
    problem = here.problem
    size = space.residual.norm(dim=1).clamp(min=1e-30)
    best = _Found(
        x,
        here.value,
        loss,
        trust.damping * TRIED[-1],
        torch.ones_like(loss),
        torch.zeros_like(busy),
    )
    for i, factor in enumerate(TRIED):
        c = space.solve(trust.damping * factor)
        point = x + space.move(c)
        if problem.prior.clip is not None:
            point = point.clamp(*problem.prior.clip)
        with torch.no_grad():
            value = problem.features(point)
        left = problem.targets - value
        error = (left - space.residual + space.image(c)).norm(dim=1) / size
        better = busy & (rms(left) < best.loss)
        row, feature_row = over(better, x).bool(), better[:, None]
        best = _Found(
            torch.where(row, point, best.x),
            torch.where(feature_row, value, best.value),
            torch.where(better, rms(left), best.loss),
            torch.where(better, trust.damping * factor, best.damping),
            torch.where(better if i else better | busy, error, best.error),
            best.taken | better,
        )
    return best
