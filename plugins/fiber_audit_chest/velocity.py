"""The network of the priors: a velocity field on principal components of radiographs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fiber_audit.fitting import ResidualBlock

COMPONENTS = 192
FREQUENCIES = 32


class Velocity(nn.Module):
    """v(z_t, t, facing) = E[eps - z | z_t] of normalised components z; one network, three laws.

    facing: 1 draws chests as they usually face, -1 mirrored ones, 0 both alike. Beside the blocks,
    each component has a share of itself that depends on the time: all that a Gaussian needs.
    """

    def __init__(self, width: int = 384, depth: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        told = 2 * FREQUENCIES + 2
        self.condition = nn.Sequential(
            nn.Linear(told, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.inlet = nn.Linear(COMPONENTS, width)
        self.blocks = nn.ModuleList(ResidualBlock(width, dropout) for _ in range(depth))
        last = nn.Linear(width, COMPONENTS)
        nn.init.zeros_(last.weight)
        self.outlet = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), last)
        self.share = nn.Linear(width, COMPONENTS)

    def forward(self, z: Tensor, t: Tensor, facing: Tensor) -> Tensor:
        """(n, 192), times (n,) in [0, 1] (1 = noise), facing (n,) -> (n, 192)."""
        frequency = torch.exp(torch.linspace(0, math.log(300), FREQUENCIES, device=z.device))
        angle = t[:, None] * frequency
        told = torch.cat([angle.sin(), angle.cos(), facing[:, None], facing[:, None].abs()], dim=1)
        condition = self.condition(told)
        hidden = self.inlet(z)
        for block in self.blocks:
            hidden = block(hidden, condition)
        found: Tensor = self.outlet(hidden) + self.share(condition) * z
        return found


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

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(784))
        self.register_buffer("basis", torch.zeros(COMPONENTS, 784))
        self.register_buffer("std", torch.ones(COMPONENTS))
        self.register_buffer("parity", torch.ones(COMPONENTS))

    def measure(self, x: Tensor) -> None:
        """From masked radiographs (n, 1, 28, 28), in float64."""
        both = torch.cat([x, x.flip(-1)]).flatten(1).double()
        mean = both.mean(0)
        values, vectors = torch.linalg.eigh((both - mean).T @ (both - mean) / len(both))
        basis = vectors.flip(1).T[:COMPONENTS]
        parity = (basis * basis.unflatten(1, (28, 28)).flip(-1).flatten(1)).sum(1)
        self.mean.copy_(mean)
        self.basis.copy_(basis)
        self.std.copy_(values.flip(0)[:COMPONENTS].sqrt())
        self.parity.copy_(parity.round())

    def encode(self, x: Tensor) -> Tensor:
        """(n, 1, 28, 28) -> (n, 192)."""
        return (x.flatten(1) - self.mean) @ self.basis.T / self.std

    def forward(self, z: Tensor) -> Tensor:
        """(n, 192) -> (n, 1, 28, 28), not clamped."""
        return (self.mean + (z * self.std) @ self.basis).unflatten(1, (1, 28, 28))
