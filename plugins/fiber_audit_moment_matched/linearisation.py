"""Jacobian products of a network at one point: J u and J' w, row by row, from one graph.

J u is taken by differentiating the (linear) map w -> J' w once more, so that any network with a
double backward will do; both products cost about one backward pass.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class Linearisation:
    """y = f(x) near x: value (n, k), and products with its Jacobian, each (n, k, *x)."""

    def __init__(self, f: Callable[[Tensor], Tensor], x: Tensor) -> None:
        with torch.enable_grad():
            self._x = x.detach().requires_grad_()
            self._y = f(self._x)
            self._w = torch.zeros_like(self._y, requires_grad=True)
            (self._pulled,) = torch.autograd.grad(self._y, self._x, self._w, create_graph=True)
        self.value = self._y.detach()

    def pull(self, w: Tensor) -> Tensor:
        """J' w: (n, k) -> like x."""
        return torch.autograd.grad(self._y, self._x, w, retain_graph=True)[0]

    def push(self, u: Tensor) -> Tensor:
        """J u: like x -> (n, k)."""
        return torch.autograd.grad(self._pulled, self._w, u, retain_graph=True)[0]
