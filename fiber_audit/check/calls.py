"""A handful of calls of an extractor on a few inputs, and what they did besides their answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from ..contracts import Extractor
from . import network
from .randomness import watched


@dataclass
class Calls:
    """Calls of `features` on x (n, ...), n >= 2, made when asked for and no more than once.

    After the first call that has the wrong form nothing else can be told: `shaped` says so.
    """

    extractor: Extractor
    x: Tensor
    used: set[str] = field(default_factory=set)
    """Libraries whose global random numbers a call touched."""
    switched: set[str] = field(default_factory=set)
    """Modules that a call took out of eval mode, or into it; put back."""
    changed: bool = False
    """True where a call changed its input."""
    _turn: int = 0

    def call(self, x: Tensor) -> Tensor:
        """Features of a copy of x, watched."""
        modes = {name: (m, m.training) for name, m in self.network.named_modules()}
        given = x.clone()
        self._turn += 1
        try:
            with watched(self._turn) as used:
                found = self.extractor.features(given)
        finally:
            for name, (module, mode) in modes.items():
                if module.training != mode:
                    self.switched.add(name or "the network")
                    module.training = mode
        self.used |= {*used}
        self.changed |= not torch.equal(given.detach(), x.detach())
        return found

    @property
    def network(self) -> nn.Module:
        """The network under audit."""
        return self.extractor.network

    @cached_property
    def first(self) -> Tensor:
        """Features of x, without a graph."""
        with torch.no_grad():
            return self.call(self.x)

    @cached_property
    def second(self) -> Tensor:
        """The same again."""
        with torch.no_grad():
            return self.call(self.x)

    @cached_property
    def alone(self) -> dict[int, Tensor]:
        """Row -> its features, (1, d), when it is alone: the first and the last."""
        last = len(self.x) - 1
        with torch.no_grad():
            return {row: self.call(self.x[row : row + 1]) for row in (0, last)}

    @property
    def shaped(self) -> bool:
        """One finite row of features per input, so that rows can be compared."""
        shape = self.first.shape
        return len(shape) == 2 and shape[0] == len(self.x) and bool(self.first.isfinite().all())

    @cached_property
    def gradients(self) -> tuple[Tensor | None, Tensor | None]:
        """Of all rows' features along a random direction, and of the last row's, in all inputs.

        (n, ...) each; None where there is no gradient.
        """
        leaf = self.x.detach().clone().requires_grad_(True)
        with torch.enable_grad():
            features = self.call(leaf)
            if not features.requires_grad:
                return None, None
            along = network.projected(features)
        (every,) = torch.autograd.grad(along.sum(), leaf, retain_graph=True, allow_unused=True)
        (last,) = torch.autograd.grad(along[-1], leaf, allow_unused=True)
        return every, last
