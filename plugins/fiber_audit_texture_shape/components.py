"""Soft masks and fields as their first principal components, each of unit variance."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .rendering import rendered
from .shapes import SOFT, blurred
from .textures import DARK, SIZE, field_of

SHAPES, TEXTURES = 80, 208
"""How many components."""
SHARP = 18.0
"""How steep the edge of a mask made of components is: steeper than others, for they soften it."""
SURE, NOISE = 0.98, 0.2
"""Where a mask is above SURE its texture is seen, up to a deviation of NOISE."""


class Components(nn.Module):
    """Images (n, 1, 32, 32) <-> their first principal components. Calling it decodes."""

    mean: Tensor
    basis: Tensor
    std: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(SIZE * SIZE))
        self.register_buffer("basis", torch.zeros(count, SIZE * SIZE))
        self.register_buffer("std", torch.ones(count))

    def measure(self, x: Tensor) -> float:
        """From images (n, 1, 32, 32), in float64; returns the share of the variance left out."""
        flat = x.flatten(1).double()
        mean = flat.mean(0)
        values, vectors = torch.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
        count = len(self.std)
        self.mean.copy_(mean)
        self.basis.copy_(vectors.flip(1).T[:count])
        self.std.copy_(values.flip(0)[:count].sqrt())
        return 1 - float(values.flip(0)[:count].sum() / values.sum())

    def encode(self, x: Tensor) -> Tensor:
        """(n, 1, 32, 32) -> (n, count)."""
        return (x.flatten(1) - self.mean) @ self.basis.T / self.std

    def guess(self, x: Tensor, seen: Tensor) -> Tensor:
        """(n, count): the likeliest of a Gaussian, for images of which a part is seen.

        seen: (n, 1, 32, 32), 1 where x is known and 0 where not.
        """
        loading = (self.basis * self.std[:, None]).T
        weight = seen.flatten(1) / NOISE**2
        apart = (x.flatten(1) - self.mean) * weight
        normal = torch.einsum("pi,np,pj->nij", loading, weight, loading)
        normal = normal + torch.eye(len(self.std), device=x.device)
        return torch.linalg.solve(normal, apart @ loading)

    def forward(self, z: Tensor) -> Tensor:
        """(n, count) -> (n, 1, 32, 32), not clamped."""
        return (self.mean + (z * self.std) @ self.basis).unflatten(1, (1, SIZE, SIZE))


class Codec(nn.Module):
    """Pictures <-> components of the shape, then those of the texture. Calling it decodes."""

    def __init__(self) -> None:
        super().__init__()
        self.shape, self.texture = Components(SHAPES), Components(TEXTURES)

    def forward(self, z: Tensor) -> Tensor:
        """(n, 288) -> pictures (n, 1, 32, 32) in [0, 1]."""
        shape, texture = z.split([SHAPES, TEXTURES], dim=1)
        return rendered(self.shape(shape), self.texture(texture), edge=SHARP)

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (n, 1, 32, 32) -> (n, 288).

        What is brighter than the darkest texture is figure. Behind the background a texture goes on
        as a Gaussian would, so that a state is no typical one, though its picture is.
        """
        figure = (x / DARK).clamp(0, 1)
        shape = self.shape.encode(blurred((figure > 0.5).float(), SOFT))
        seen = (figure >= SURE).float() * (blurred(figure, SOFT) > SURE).float()
        return torch.cat([shape, self.texture.guess(field_of(x), seen)], dim=1)
