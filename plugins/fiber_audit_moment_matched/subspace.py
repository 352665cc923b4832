"""Damped least squares in a small subspace, row by row, without forming a Jacobian.

Notation, for each row: w a direction in feature space; g = J'w, q = V g, u = J q. Moving the state
by q changes the features by u, and costs q' V^-1 q = g' q squared standard deviations.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from fiber_audit.sampling import over

RIDGE = 1e-6
"""Relative to the diagonal: what keeps the small systems solvable in float32 products."""


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Row by row inner product: (n, ...), (n, ...) -> (n,)."""
    return (a * b).flatten(1).sum(1)


class Direction(NamedTuple):
    """g = J'w and q = V g, (n, ...) like the state; u = J q, (n, d_h)."""

    g: Tensor
    q: Tensor
    u: Tensor

    def where(self, rows: Tensor) -> Direction:
        """The direction in these rows (n,), zero elsewhere."""
        return Direction(*(torch.where(over(rows, a).bool(), a, 0.0) for a in self))


class Subspace:
    """The span of the moves q_1 ... q_k; residual (n, d_h) is what u_1 ... u_k are to cancel."""

    def __init__(self, residual: Tensor) -> None:
        n = len(residual)
        self.residual = residual
        self._g: list[Tensor] = []
        self._q: list[Tensor] = []
        self._u = residual.new_zeros(n, 0, residual.shape[1])
        self._cost = residual.new_zeros(n, 0, 0)

    def add(self, direction: Direction) -> None:
        """One more direction; rows of zeros stay out of it."""
        g, q, u = direction
        across = [
            0.5 * (dot(g, old_q) + dot(old_g, q))
            for old_g, old_q in zip(self._g, self._q, strict=True)
        ]
        edge = torch.stack([*across, dot(g, q)], dim=1)
        self._g.append(g)
        self._q.append(q)
        self._u = torch.cat([self._u, u[:, None]], dim=1)
        top = torch.cat([self._cost, edge[:, :-1, None]], dim=2)
        self._cost = torch.cat([top, edge[:, None]], dim=1)

    def solve(self, damping: Tensor) -> Tensor:
        """Coefficients c (n, k) that minimise |residual - c u|^2 + lambda (c q)' V^-1 (c q).

        lambda is damping (n,) in units of the subspace's mean |u|^2 / q'V^-1 q.
        """
        gram = self._u @ self._u.mT
        diagonal = gram.diagonal(dim1=1, dim2=2)
        unit = diagonal.sum(1) / self._cost.diagonal(dim1=1, dim2=2).sum(1).clamp(min=1e-30)
        system = gram + (damping * unit)[:, None, None] * self._cost
        diagonal = system.diagonal(dim1=1, dim2=2)
        ridge = torch.where(diagonal > 0, RIDGE * diagonal, 1.0)
        wanted = self._u @ self.residual[:, :, None]
        system = system.double() + torch.diag_embed(ridge.double())
        return torch.linalg.solve(system, wanted.double())[:, :, 0].to(self.residual)

    def move(self, c: Tensor) -> Tensor:
        """The change of the state, (n, ...)."""
        return _combined(c, self._q)

    def pull(self, c: Tensor) -> Tensor:
        """V^-1 times the change of the state, (n, ...)."""
        return _combined(c, self._g)

    def image(self, c: Tensor) -> Tensor:
        """The change of the features, if they were linear: (n, d_h)."""
        return (c[:, None] @ self._u)[:, 0]

    def length(self, c: Tensor) -> Tensor:
        """Length of the change of the state in posterior standard deviations, (n,)."""
        return (c[:, None] @ self._cost @ c[:, :, None])[:, 0, 0].clamp(min=0).sqrt()


def _combined(c: Tensor, tensors: list[Tensor]) -> Tensor:
    total = torch.zeros_like(tensors[0])
    for weight, tensor in zip(c.unbind(1), tensors, strict=True):
        total = total + over(weight, tensor) * tensor
    return total
