"""Standardised numbers, and the way back to natural units."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Scale:
    """mean and std: (d,) float64, of each column; 0 and 1 leave it as it is.

    >>> scale = Scale(torch.tensor([10.0]).double(), torch.tensor([2.0]).double())
    >>> scale.standardised(torch.tensor([[14.0]])), scale.natural(torch.tensor([[2.0]]))
    (tensor([[2.]]), tensor([[14.]]))
    """

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, x: Tensor) -> Scale:
        """That of some rows (n, d); n is what a variance is divided by."""
        x = x.double()
        return cls(x.mean(0), x.std(0, correction=0))

    @classmethod
    def none(cls, d: int) -> Scale:
        """That of natural units."""
        return cls(torch.zeros(d).double(), torch.ones(d).double())

    def standardised(self, x: Tensor) -> Tensor:
        """(n, d) in natural units -> (x - mean) / std, float32."""
        return ((x.double() - self.mean.to(x.device)) / self.std.to(x.device)).float()

    def natural(self, z: Tensor) -> Tensor:
        """(n, d) standardised -> z std + mean, float32."""
        return (z.double() * self.std.to(z.device) + self.mean.to(z.device)).float()
