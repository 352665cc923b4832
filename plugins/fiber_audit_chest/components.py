"""Radiographs as their first principal components, each of unit variance."""

from __future__ import annotations

import torch
from torch import Tensor, nn

COMPONENTS = 192


class Components(nn.Module):
    """Radiographs <-> their first principal components, each of unit variance.

    The components are of pictures beside their mirror images, so each is even or odd: a mirrored
    picture has the same even ones, and the odd ones with the other sign. `parity` says which.
    Calling it decodes.
    """

    mean: Tensor
    basis: Tensor
    std: Tensor
    parity: Tensor

    def __init__(self, count: int = COMPONENTS, size: int = 28) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.zeros(size**2))
        self.register_buffer("basis", torch.zeros(count, size**2))
        self.register_buffer("std", torch.ones(count))
        self.register_buffer("parity", torch.ones(count))

    def measure(self, x: Tensor) -> None:
        """From masked radiographs (n, 1, size, size), in float64."""
        both = torch.cat([x, x.flip(-1)]).flatten(1).double()
        mean = both.mean(0)
        values, vectors = torch.linalg.eigh((both - mean).T @ (both - mean) / len(both))
        basis = vectors.flip(1).T[: len(self.std)]
        turned = basis.unflatten(1, (self.size, self.size)).flip(-1).flatten(1)
        parity = (basis * turned).sum(1)
        self.mean.copy_(mean)
        self.basis.copy_(basis)
        self.std.copy_(values.flip(0)[: len(self.std)].sqrt())
        self.parity.copy_(parity.round())

    def encode(self, x: Tensor) -> Tensor:
        """(n, 1, size, size) -> (n, count)."""
        return (x.flatten(1) - self.mean) @ self.basis.T / self.std

    def forward(self, z: Tensor) -> Tensor:
        """(n, count) -> (n, 1, size, size), not clamped."""
        return (self.mean + (z * self.std) @ self.basis).unflatten(1, (1, self.size, self.size))
