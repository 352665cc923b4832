"""Damped least squares in a small subspace, row by row, without forming a Jacobian.

Notation, for each row: w a direction in feature space; g = J'w, q = V g, u = J q. Moving the state
by q changes the features by u, and costs q' V^-1 q = g' q squared standard deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """The span of the moves q_1 ... q_k; residual (n, d_h) is what u_1 ... u_k are to cancel.

    There is room for `most` of them from the start, and every number is a sum within its row: what
    a row finds does not depend on how long the others go on, to the bit. The room is even, since
    how a matrix of odd size is solved depends on where in memory it begins.
    """

    def __init__(self, residual: Tensor, most: int) -> None:
        n, size = len(residual), most + most % 2
        self.residual = residual
        self._g: list[Tensor] = []
        self._q: list[Tensor] = []
        self._u = residual.new_zeros(n, size, residual.shape[1])
        self._gram = residual.new_zeros(n, size, size)
        self._cost = residual.new_zeros(n, size, size)
        self._wanted = residual.new_zeros(n, size)

    def add(self, direction: Direction) -> None:
        """One more direction; rows of zeros stay out of it."""
        g, q, u = direction
        k = len(self._g)
        for j, (old_g, old_q) in enumerate(zip(self._g, self._q, strict=True)):
            across = 0.5 * (dot(g, old_q) + dot(old_g, q))
            self._cost[:, j, k] = self._cost[:, k, j] = across
        self._cost[:, k, k] = dot(g, q)
        self._u[:, k] = u
        edge = (self._u[:, : k + 1] * u[:, None]).sum(2)
        self._gram[:, k, : k + 1] = self._gram[:, : k + 1, k] = edge
        self._wanted[:, k] = dot(u, self.residual)
        self._g.append(g)
        self._q.append(q)

    def solve(self, damping: Tensor) -> Tensor:
        """Coefficients c (n, most) that minimise |residual - c u|^2 + lambda (c q)' V^-1 (c q).

        lambda is damping (n,) in units of the subspace's mean |u|^2 / q'V^-1 q.
        """
        if not self._g:
            return torch.zeros_like(self._wanted)
        diagonal = self._gram.diagonal(dim1=1, dim2=2)
        unit = diagonal.sum(1) / self._cost.diagonal(dim1=1, dim2=2).sum(1).clamp(min=1e-30)
        system = self._gram + (damping * unit)[:, None, None] * self._cost
        diagonal = system.diagonal(dim1=1, dim2=2)
        ridge = torch.where(diagonal > 0, RIDGE * diagonal, 1.0)
        system = system.double() + torch.diag_embed(ridge.double())
        return torch.linalg.solve(system, self._wanted.double()).to(self.residual)

    def move(self, c: Tensor) -> Tensor:
        """The change of the state, (n, ...)."""
        return _combined(c, self._q, self._q[0])

    def pull(self, c: Tensor) -> Tensor:
        """V^-1 times the change of the state, (n, ...)."""
        return _combined(c, self._g, self._g[0])

    def image(self, c: Tensor) -> Tensor:
        """The change of the features, if they were linear: (n, d_h)."""
        return _combined(c, self._u.unbind(1)[: len(self._g)], self.residual)

    def length(self, c: Tensor) -> Tensor:
        """Length of the change of the state in posterior standard deviations, (n,)."""
        return dot(c[:, :, None] * self._cost, c[:, None]).clamp(min=0).sqrt()


def _combined(c: Tensor, tensors: Sequence[Tensor], like: Tensor) -> Tensor:
    """One after the other, so that a row is the same however many zeros follow."""
    total = torch.zeros_like(like)
    for weight, tensor in zip(c.unbind(1), tensors, strict=False):
        total = total + over(weight, tensor) * tensor
    return total
