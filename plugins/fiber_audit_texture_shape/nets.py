"""The networks under audit and the judges. All take pictures (n, 1, 32, 32) in [0, 1]."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .shapes import blurred
from .textures import NAMES

FEATURES = 32
SHAPES, TEXTURES = 10, len(NAMES)
BLUR = 3.0
"""Deviation in pixels: of waves of 5.5 pixels, 0.3 % are left."""
Taught = Literal["shape", "texture", "both", "both-blurred"]
HEADS: dict[Taught, int] = {
    "shape": SHAPES,
    "texture": TEXTURES,
    "both": SHAPES + TEXTURES,
    "both-blurred": SHAPES + TEXTURES,
}
"""Logits: of the shape, then of the texture."""


class Net(nn.Module):
    """Three convolutions, 32 features behind a nonlinearity, and linear heads.

    Features are of where something is (maps of 4 x 4) and of what there is at all (their means).
    """

    def __init__(self, taught: Taught, width: int = 20) -> None:
        super().__init__()
        w = width
        self.blur = BLUR if taught == "both-blurred" else 0.0
        self.body = nn.Sequential(
            nn.Conv2d(1, w, 5, 2, 2), nn.GroupNorm(4, w), nn.SiLU(),
            nn.Conv2d(w, w, 3, 1, 1), nn.GroupNorm(4, w), nn.SiLU(), nn.AvgPool2d(2),
            nn.Conv2d(w, 2 * w, 3, 1, 1), nn.GroupNorm(4, 2 * w), nn.SiLU(),
        )  # fmt: skip
        self.where, self.what = nn.Linear(2 * w * 16, FEATURES), nn.Linear(2 * w, FEATURES)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(FEATURES, HEADS[taught])

    def features(self, x: Tensor) -> Tensor:
        """Pictures -> (n, 32)."""
        maps = self.body(blurred(x, self.blur) if self.blur else x)
        where, what = F.avg_pool2d(maps, 2).flatten(1), maps.mean((2, 3))
        return F.silu(self.where(where) + self.what(what))

    def forward(self, x: Tensor) -> Tensor:
        """Pictures -> logits (n, heads)."""
        logits: Tensor = self.head(self.dropout(self.features(x)))
        return logits


class Features(nn.Module):
    """A network's features as a network of its own, so that its evaluations are counted."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Pictures -> (n, 32)."""
        return self.net.features(x)


class Pooled(nn.Module):
    """Judge 1: convolutions with pooling between them, GELU and a hidden layer."""

    def __init__(self, outputs: int, width: int = 16) -> None:
        super().__init__()
        w = width
        self.body = nn.Sequential(
            nn.Conv2d(1, w, 6, 2, 2), nn.GELU(), nn.GroupNorm(1, w),
            nn.Conv2d(w, 2 * w, 3, 1, 0), nn.GELU(), nn.AvgPool2d(2), nn.GroupNorm(1, 2 * w),
            nn.Conv2d(2 * w, 2 * w, 3, 1, 1), nn.GELU(), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(2 * w * 9, 48), nn.GELU(), nn.Dropout(0.1), nn.Linear(48, outputs),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Pictures -> logits (n, outputs)."""
        logits: Tensor = self.body(x)
        return logits


class Residual(nn.Module):
    """Judge 2: convolutions with a short cut, and the largest and the mean value of each map."""

    def __init__(self, outputs: int, width: int = 20) -> None:
        super().__init__()
        w = width
        self.inlet = nn.Conv2d(1, w, 5, 2, 2)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(5, w), nn.Conv2d(w, w, 3, 1, 1), nn.ReLU()) for _ in range(3)
        )
        self.outlet = nn.Sequential(
            nn.Linear(w * 17, 48), nn.ReLU(), nn.Dropout(0.1), nn.Linear(48, outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Pictures -> logits (n, outputs)."""
        x = self.inlet(x)
        for place, block in enumerate(self.blocks):
            x = x + block(x)
            x = x if place else F.avg_pool2d(x, 2)
        seen = torch.cat([F.max_pool2d(x, 2).flatten(1), x.mean((2, 3))], dim=1)
        logits: Tensor = self.outlet(seen)
        return logits


def judge(which: Literal[1, 2], outputs: int) -> nn.Module:
    """A judge's network."""
    return Pooled(outputs) if which == 1 else Residual(outputs)
