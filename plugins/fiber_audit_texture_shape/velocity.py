"""The velocity of the prior: of the shape and of the texture, both known exactly."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fiber_audit.fitting import Mixture

from .components import SHAPES, TEXTURES
from .textures import NAMES

FORMS = 160
"""Gaussians of silhouettes: sixteen forms of each digit."""
RANK = 128
"""Directions that a texture has a variance of its own in; of a silhouette they are all."""


class Velocity(nn.Module):
    """v(z_t, t) = E[eps - z | z_t] of two mixtures of Gaussians side by side.

    Neither sees the other's components, as in the data.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shape = Mixture(FORMS, SHAPES, SHAPES - 1)
        self.texture = Mixture(len(NAMES), TEXTURES, RANK)

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        """(n, 288), times (n,) in [0, 1] -> (n, 288)."""
        shape, texture = z.split([SHAPES, TEXTURES], dim=1)
        return torch.cat([self.shape(shape, t)[0], self.texture(texture, t)[0]], dim=1)
