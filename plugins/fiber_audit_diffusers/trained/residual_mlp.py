"""The network of tables and other flat states: a residual MLP that is told the time."""

from __future__ import annotations

from math import prod

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.embeddings import get_timestep_embedding
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from fiber_audit.fitting import ResidualBlock

FREQUENCIES = 64


class ResidualMLP(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Noisy states (n, *state_shape) and times (n,) from 0 to 1,000 -> (n, *state_shape)."""

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, state_shape: tuple[int, ...], width: int = 256, depth: int = 4) -> None:
        super().__init__()
        self.state_shape = tuple(state_shape)
        size = prod(self.state_shape)
        self.time = nn.Sequential(nn.Linear(FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))
        self.inlet = nn.Linear(size, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(depth))
        self.outlet = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, size))
        self.skip = nn.Linear(FREQUENCIES, size)
        nn.init.zeros_(self.skip.weight)

    def forward(self, x_t: Tensor, time: Tensor) -> Tensor:
        """A residual network beside a skip whose share depends on the time alone."""
        told = get_timestep_embedding(time, FREQUENCIES).to(x_t.dtype)
        condition = self.time(told)
        flat = x_t.flatten(1)
        hidden = self.inlet(flat)
        for block in self.blocks:
            hidden = block(hidden, condition)
        answer = self.outlet(hidden) + self.skip(told) * flat
        return torch.unflatten(answer, 1, self.state_shape)
