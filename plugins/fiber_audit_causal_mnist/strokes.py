"""Coloured digits as flat states: principal components of the gray digit, and one number of colour.

state   (z, c): z (n, K) twice the components of the gray digit less the mean digit;
        c is -1 for colour 0 and 1 for colour 1
gray    mean + components' z / 2, less FAINT, not below 0
image   gray (1 - c) / 2 in channel 0, gray (1 + c) / 2 in channel 1
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .digits import SIDE

COMPONENTS = 100
FAINT = 0.06
"""Gray that counts as black: what noise in many components leaves on the paper."""


class Strokes(nn.Module):
    """Calling it decodes, so that a hook on it counts the decodings."""

    mean: Tensor
    components: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(SIDE * SIDE))
        self.register_buffer("components", torch.zeros(COMPONENTS, SIDE * SIDE))

    def measure(self, images: Tensor) -> None:
        """Take mean and components from gray digits (n, 14, 14)."""
        rows = images.flatten(1).double()
        mean = rows.mean(0)
        _, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        self.mean.copy_(mean)
        self.components.copy_(vectors.flip(1)[:, :COMPONENTS].T)

    def encode(self, x: Tensor) -> Tensor:
        """(n, 2, 14, 14) -> (n, K + 1)."""
        held = x.flatten(2)
        z = 2 * (held.sum(1) - self.mean) @ self.components.T
        dark, light = held.sum(2).unbind(1)
        c = (light - dark) / (light + dark).clamp(min=1e-6)
        return torch.cat([z, c[:, None]], dim=1)

    def forward(self, state: Tensor) -> Tensor:
        """(n, K + 1) -> (n, 2, 14, 14), not clamped."""
        z, c = state[:, :-1], state[:, -1, None, None]
        gray = (self.mean + z @ self.components / 2).unflatten(1, (SIDE, SIDE))
        ink = (gray - FAINT).relu() / (1 - FAINT)
        return torch.stack([ink * (1 - c) / 2, ink * (1 + c) / 2], dim=1)
