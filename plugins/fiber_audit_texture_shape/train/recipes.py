"""What each network under audit and each judge learns."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fiber_audit.fitting import Say, train_averaged

from ..nets import SHAPES, TEXTURES, Net, Taught, judge
from ..rendering import some
from ..shapes import Shapes, blurred

BATCH, JUDGED = 64, 900
STEPS: dict[Taught, int] = {"shape": 800, "texture": 800, "both": 1600, "both-blurred": 800}
DULL, GRAIN = 0.7, 0.05
"""What judges and the network of both get used to: half of the pictures blurred, and noise."""


def worn(x: Tensor, g: torch.Generator) -> Tensor:
    """Pictures (n, 1, 32, 32), half of them a little dull, all a little noisy."""
    dull, grain = torch.rand((2, len(x), 1, 1, 1), generator=g)
    x = torch.where(dull < 0.5, blurred(x, DULL), x)
    return (x + GRAIN * grain * torch.randn(x.shape, generator=g)).clamp(0, 1)


def network(shapes: Shapes, taught: Taught, seed: int, say: Say) -> Net:
    """The shape, the texture or both, by cross-entropy."""

    def loss(net: Net, g: torch.Generator) -> Tensor:
        x, shape, texture = some(shapes, BATCH, g)
        logits = net(worn(x, g) if taught == "both" else x)
        if taught in ("shape", "texture"):
            return F.cross_entropy(logits, shape if taught == "shape" else texture)
        of_shape, of_texture = logits.split([SHAPES, TEXTURES], dim=1)
        return F.cross_entropy(of_shape, shape) + F.cross_entropy(of_texture, texture)

    return train_averaged(lambda: Net(taught), loss, STEPS[taught], say, rate=3e-3, seed=seed)


def judge_of(
    shapes: Shapes, of: Literal["shape", "texture"], which: Literal[1, 2], seed: int, say: Say
) -> nn.Module:
    """The shape or the texture, also of pictures that are a little dull or noisy."""
    outputs = SHAPES if of == "shape" else TEXTURES

    def loss(net: nn.Module, g: torch.Generator) -> Tensor:
        x, shape, texture = some(shapes, BATCH, g)
        x = worn(x, g)
        return F.cross_entropy(net(x), shape if of == "shape" else texture)

    return train_averaged(lambda: judge(which, outputs), loss, JUDGED, say, rate=3e-3, seed=seed)
