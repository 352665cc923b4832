"""What the methods share: the misfit of a clean estimate, and its slope.

r        phi(decode(x0)) - h, the feature residual of a draw
misfit   ||r||_2, one number per draw; every method here descends it. It is the unsquared norm,
         as in the code of arXiv 2603.21782, so that a step has a length and cannot blow up
loss     the misfit as a fiber loss (RMS): ||r||_2 / sqrt(d)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from fiber_audit.contracts import Problem
from fiber_audit.sampling import denoised

Misfit = Callable[[Problem, Tensor], Tensor]
"""A problem and clean states (n, *state_shape) -> (n,), in the unit of ||r||_2."""


class View(NamedTuple):
    """A noisy state as guidance sees it, all detached.

    x0, eps, slope: (n, *state_shape); loss: (n,). slope is the gradient of the misfit in x_t.
    """

    x0: Tensor
    eps: Tensor
    loss: Tensor
    slope: Tensor


def length(problem: Problem, x0: Tensor) -> Tensor:
    """The misfit ||phi(decode(x0)) - h||_2 of each draw: (n, *state_shape) -> (n,)."""
    distance: Tensor = torch.linalg.vector_norm(problem.features(x0) - problem.targets, dim=1)
    return distance


@torch.enable_grad()
def view(problem: Problem, x_t: Tensor, t: Tensor, misfit: Misfit = length) -> View:
    """Predict and differentiate through the prior: one forward and one backward of both nets."""
    x_t = x_t.detach().requires_grad_()
    x0, eps = denoised(problem.prior, x_t, t)
    loss, slope = _downhill(problem, misfit(problem, x0), x_t)
    return View(x0.detach(), eps.detach(), loss, slope)


@torch.enable_grad()
def slope_in_x0(problem: Problem, x0: Tensor, misfit: Misfit = length) -> tuple[Tensor, Tensor]:
    """(loss, gradient of the misfit in x0): one forward and backward of phi, none of the prior."""
    x0 = x0.detach().requires_grad_()
    return _downhill(problem, misfit(problem, x0), x0)


def _downhill(problem: Problem, misfit: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    (slope,) = torch.autograd.grad(misfit.sum(), x)
    return in_rms(problem, misfit.detach()), slope


def in_rms(problem: Problem, misfit: Tensor) -> Tensor:
    """A misfit (n,), the length of a residual in d features, as a fiber loss (RMS)."""
    return misfit / problem.targets.shape[1] ** 0.5
