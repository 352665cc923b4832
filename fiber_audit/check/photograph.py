"""A picture like a photograph, the same everywhere: shading, texture of all sizes, edges."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

WAVES = 24
THINGS = ((0.85, 0.30, 0.15), (0.05, 0.10, 0.20), (0.95, 0.95, 0.80))
"""Colours of a disc, a slanted bar and a box."""


def photograph(width: int, height: int, channels: int = 3) -> Image.Image:
    """An 8-bit picture in colour, or grey for one channel; the caller may change it."""
    picture = _drawn(width, height)
    return picture.copy() if channels == 3 else picture.convert("L")


@cache
def _drawn(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    scene = np.stack([0.55 - 0.3 * y, 0.45 + 0.25 * x, 0.35 + 0.3 * y], axis=-1)
    for k in range(1, WAVES + 1):
        across = x * np.cos(2.4 * k) + y * np.sin(2.4 * k)
        tint = 0.7 + 0.3 * np.cos(k + np.array([0, 2, 4]))
        wave = np.sin(2 * np.pi * 1.25**k * across + k**2)
        scene += 0.09 / 1.06**k * wave[..., None] * tint
    disc = (x - 0.3) ** 2 + (y - 0.3) ** 2 < 0.04
    bar = np.abs(x - 0.75 + 0.4 * y) < 0.05
    box = (np.abs(x - 0.16) < 0.06) & (y > 0.45)
    for where, colour in zip((disc, bar, box), THINGS, strict=True):
        scene[where] = 0.3 * scene[where] + 0.7 * np.array(colour)
    return Image.fromarray(np.rint(255 * scene.clip(0, 1)).astype(np.uint8))


def pixels_of(picture: Image.Image) -> Tensor:
    """A picture in data space, (1, c, h, w) float32 in [0, 1]."""
    pixels = torch.from_numpy(np.array(picture)).float() / 255
    return (pixels if pixels.ndim == 3 else pixels[..., None]).permute(2, 0, 1)[None]
