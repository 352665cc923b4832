"""The network of the prior: two velocity fields, of the shape and of the texture."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fiber_audit.fitting import ResidualBlock

from .components import SHAPES, TEXTURES
from .mixture import Mixture
from .textures import NAMES

FREQUENCIES, TOLD, DEPTH = 32, 128, 4


class Flow(nn.Module):
    """v(z_t, t) = E[eps - z | z_t] of some normalised components z.

    A mixture of Gaussians, one for each class, says what it can; blocks that are told what it says
    correct it.
    """

    def __init__(self, classes: int, components: int, rank: int, width: int) -> None:
        super().__init__()
        self.mixture = Mixture(classes, components, rank)
        self.condition = nn.Sequential(
            nn.Linear(2 * FREQUENCIES + classes, TOLD), nn.SiLU(), nn.Linear(TOLD, width), nn.SiLU()
        )
        self.inlet = nn.Linear(2 * components, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(DEPTH))
        last = nn.Linear(width, components)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.outlet = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), last)

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        """(n, components) and times (n,) in [0, 1], 1 = noise -> (n, components)."""
        known, shares = self.mixture(z, t)
        frequency = torch.exp(torch.linspace(0, math.log(300), FREQUENCIES, device=z.device))
        angle = t[:, None] * frequency
        condition = self.condition(torch.cat([angle.sin(), angle.cos(), shares], dim=1))
        hidden = self.inlet(torch.cat([z, known], dim=1))
        for block in self.blocks:
            hidden = block(hidden, condition)
        found: Tensor = known + self.outlet(hidden)
        return found


class Velocity(nn.Module):
    """Both fields side by side: neither sees the other's components, as in the data.

    Textures are mixtures of Gaussians already, so that theirs is known without a network.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shape = Flow(10, SHAPES, 40, 256)
        self.texture = Mixture(len(NAMES), TEXTURES, 128)

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        """(n, 288), times (n,) in [0, 1] -> (n, 288)."""
        shape, texture = z.split([SHAPES, TEXTURES], dim=1)
        return torch.cat([self.shape(shape, t), self.texture(texture, t)[0]], dim=1)
