"""The feature map near one point: its value, and the move that a direction in features gives."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from fiber_audit import over
from fiber_audit.contracts import Problem

from .posterior import Posterior
from .subspace import dot

SECANT = 0.1
"""Length of the secant that stands for J q, in posterior standard deviations."""


class Direction(NamedTuple):
    """g = J'w and q = V g, like the state; u = J q (n, d_h); ok (n,): finite, and q is not null."""

    g: Tensor
    q: Tensor
    u: Tensor
    ok: Tensor


class Linearisation:
    """F = phi(decode(.)) at x (n, ...): one forward of phi; value is (n, d_h)."""

    def __init__(self, problem: Problem, posterior: Posterior, x: Tensor) -> None:
        self.problem, self.posterior = problem, posterior
        with torch.enable_grad():
            self._x = x.detach().requires_grad_()
            self._value = problem.features(self._x)
        self.value = self._value.detach()

    def along(self, w: Tensor) -> Direction:
        """The move for a feature direction w (n, d_h); rows that are not ok are zero.

        One backward of phi, one of the prior, one forward of phi. J q is a secant: any network
        will do, and it looks as far as the prior is unsure.
        """
        (g,) = torch.autograd.grad(self._value, self._x, w, retain_graph=True)
        q = self.posterior.covariance(g)
        squared = dot(g, q)  # w'J V J'w, the squared length of q in standard deviations
        h = SECANT / squared.clamp(min=1e-20).sqrt()
        with torch.no_grad():
            ahead = self.problem.features(self._x + over(h, q) * q)
        u = (ahead - self.value) / h[:, None]
        ok = (squared > 0) & u.isfinite().all(1) & q.flatten(1).isfinite().all(1)
        row = over(ok, q).bool()
        zero = torch.zeros((), device=q.device)
        return Direction(
            torch.where(row, g, zero),
            torch.where(row, q, zero),
            torch.where(ok[:, None], u, zero),
            ok,
        )
