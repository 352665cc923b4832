"""The correction of the prior's mean: Levenberg-Marquardt in the metric of the posterior.

Notation: x0 mean and V covariance of x_0 given x_t; F, J feature map and Jacobian at x_k; h target;
lambda damping, in units of the first Rayleigh quotient of J V J'.

    x_{k+1} = x0 + V J' (J V J' + lambda I)^-1 (h - F(x_k) + J (x_k - x0)),   x_0 = x0           (1)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fiber_audit import over, rms
from fiber_audit.contracts import Problem

from .conjugate_gradients import solve
from .linearisation import Linearisation
from .posterior import Posterior

SMALLEST, LARGEST = 1e-7, 1e3
ON_SUCCESS, ON_FAILURE = 0.4, 4.0
ROUNDING = 1e-5
"""A loss of that share of the target is float32's, not the draw's."""


@dataclass
class Trust:
    """What a trajectory learns about the curvature of phi, row by row (n,).

    damping: lambda. refused: how many corrections did not lower the loss.
    """

    damping: Tensor
    refused: Tensor

    @classmethod
    def fresh(cls, n: int, damping: float, device: torch.device) -> Trust:
        """Before the first step."""
        return cls(torch.full((n,), damping, device=device), torch.zeros(n, device=device))

    def learn(self, tried: Tensor, better: Tensor) -> None:
        """Update the rows that tried: was their loss lowered?"""
        factor = torch.where(better, ON_SUCCESS, ON_FAILURE)
        damping = (self.damping * factor).clamp(SMALLEST, LARGEST)
        self.damping = torch.where(tried, damping, self.damping)
        self.refused = self.refused + (tried & ~better)


def corrected(
    problem: Problem,
    posterior: Posterior,
    trust: Trust,
    *,
    linearisations: int,
    iterations: int,
    tolerance: float,
    strength: float,
) -> tuple[Tensor, Tensor]:
    """Iterate Eq. (1), row by row; returns the mean (n, ...) and its fiber loss (n,).

    A row stops where its loss fell to twice the tolerance: there the linear model was right.
    """
    x0, h = posterior.mean, problem.targets
    best = x0
    here = Linearisation(problem.features, x0)
    loss = rms(here.value - h)
    goal = torch.maximum(2 * tolerance * loss, ROUNDING * rms(h))
    for k in range(linearisations):
        tried = loss > goal
        if not tried.any():
            break

        def operator(w: Tensor, at: Linearisation = here) -> tuple[Tensor, Tensor]:
            moved = posterior.covariance(at.pull(w))
            return at.push(moved), moved

        wanted = (h - here.value + here.push(best - x0)) * tried[:, None]
        found = solve(operator, wanted, trust.damping, tolerance, iterations)
        new = x0 + strength * found.image
        if problem.prior.clip is not None:
            new = new.clamp(*problem.prior.clip)
        with torch.no_grad():
            new_loss = rms(problem.features(new) - h)
        better = tried & (new_loss < loss)
        trust.learn(tried, better)
        best = torch.where(over(better, best).bool(), new, best)
        loss = torch.where(better, new_loss, loss)
        if k + 1 < linearisations and bool((loss > goal).any()):
            here = Linearisation(problem.features, best)
    return best, loss
