"""What the draws of a fit are looked at with: networks with random weights, and the numbers as is.

A random network has learned nothing: it sees local contrast, texture and layout, and knows no
objects. That two sets look alike to it is necessary and far from sufficient; it needs no download,
favours no domain, and tells a blurred or broken prior from data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Eye = Callable[[Tensor], Tensor]
"""Data (n, *data_shape) -> features (n, d)."""

LARGEST = 64
"""Larger pictures are looked at in this size."""
COARSE = 8


def eyes(data_shape: tuple[int, ...], device: str) -> Mapping[str, Eye]:
    """Name -> eye, for pictures or for rows of a table; the same at every call."""
    if len(data_shape) != 3:
        network = _seeded(lambda: _layers(data_shape[0]), 0).to(device)
        return {"the columns": lambda x: x.flatten(1), "a random network": network}
    strided = _seeded(lambda: _strided(data_shape[0]), 1).to(device)
    pooled = _seeded(lambda: _pooled(data_shape[0]), 2).to(device)
    return {
        "random network A": lambda x: _spread(strided(_small(x, LARGEST))),
        "random network B": lambda x: pooled(_small(x, LARGEST)).flatten(1),
        "8 x 8 pixels": lambda x: _small(x, COARSE).flatten(1),
    }


@torch.no_grad()
def seen(eye: Eye, data: Tensor, device: str, batch: int = 256) -> Tensor:
    """Features of all rows (n, d), on the CPU; (0, 1) of none."""
    if not len(data):
        return data.new_zeros(0, 1)
    return torch.cat([eye(part.to(device)).float().cpu() for part in data.split(batch)])


def _seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(seed)
        network = build()
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
    return network.eval().requires_grad_(False)


def _strided(channels: int) -> nn.Module:
    """Three strided convolutions of 3 x 3."""
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(64, 128, 3, 1, 1), nn.ReLU(),
    )  # fmt: skip


def _pooled(channels: int) -> nn.Module:
    """Convolutions of 5 x 5 with pooling, and a grid of 4 x 4 in the end: it knows places."""
    return nn.Sequential(
        nn.Conv2d(channels, 24, 5, 1, 2), nn.GELU(), nn.AvgPool2d(2, ceil_mode=True),
        nn.Conv2d(24, 24, 5, 1, 2), nn.GELU(), nn.AdaptiveAvgPool2d(4),
    )  # fmt: skip


def _layers(columns: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(columns, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
    )  # fmt: skip


def _spread(maps: Tensor) -> Tensor:
    """Mean and standard deviation of each map: (n, c, h, w) -> (n, 2 c)."""
    return torch.cat([maps.mean((2, 3)), maps.std((2, 3), correction=0)], dim=1)


def _small(x: Tensor, side: int) -> Tensor:
    """Pictures of at most this side, by averaging."""
    height, width = min(side, x.shape[-2]), min(side, x.shape[-1])
    return (
        x if (height, width) == tuple(x.shape[-2:]) else F.adaptive_avg_pool2d(x, (height, width))
    )
