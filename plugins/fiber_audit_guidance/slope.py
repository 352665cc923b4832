"""What the methods share: the misfit of a clean estimate, and its slope in x_t.

r        phi(decode(x0)) - h, the feature residual of a draw
misfit   ||r||_2, one number per draw; every method here descends it. It is the unsquared norm,
         as in the code of arXiv 2603.21782, so that a step has a length and cannot blow up
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from fiber_audit import at, clipped
from fiber_audit.contracts import Prediction, Problem


class View(NamedTuple):
    """A noisy state as guidance sees it, all detached.

    x0, eps, slope: (n, *state_shape); misfit: (n,). slope is the gradient of the misfit in x_t.
    """

    x0: Tensor
    eps: Tensor
    misfit: Tensor
    slope: Tensor


def misfit(problem: Problem, x0: Tensor) -> Tensor:
    """||phi(decode(x0)) - h||_2 of each draw: (n, *state_shape) -> (n,)."""
    distance: Tensor = torch.linalg.vector_norm(problem.features(x0) - problem.targets, dim=1)
    return distance


def slope_in_x0(problem: Problem, x0: Tensor) -> tuple[Tensor, Tensor]:
    """(misfit, its gradient in x0): one forward and one backward of phi, none of the prior."""
    x0 = x0.detach().requires_grad_()
    with torch.enable_grad():
        value = misfit(problem, x0)
        (slope,) = torch.autograd.grad(value.sum(), x0)
    return value.detach(), slope


def view(problem: Problem, x_t: Tensor, t: Tensor) -> View:
    """Predict and differentiate through the prior: one forward and one backward of both nets."""
    x_t = x_t.detach().requires_grad_()
    with torch.enable_grad():
        x0, eps = _predict(problem, x_t, t)
        value = misfit(problem, x0)
        (slope,) = torch.autograd.grad(value.sum(), x_t)
    return View(x0.detach(), eps.detach(), value.detach(), slope)


def predict(problem: Problem, x_t: Tensor, t: Tensor) -> Prediction:
    """The clipped prediction alone: one forward of the prior."""
    with torch.no_grad():
        return _predict(problem, x_t, t)


def _predict(problem: Problem, x_t: Tensor, t: Tensor) -> Prediction:
    prior = problem.prior
    return clipped(prior, x_t, t, prior.predict(x_t, at(t, x_t)))


def is_finite(x: Tensor) -> Tensor:
    """Which draws hold finite numbers only: (n, ...) -> (n,) bool."""
    return x.flatten(1).isfinite().all(1)
