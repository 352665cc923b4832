"""A picture to try preprocessing on: shading, edges and fine texture, as photographs have them."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image


@cache
def photograph(width: int = 301, height: int = 203) -> Image.Image:
    """An 8-bit RGB landscape, the same on every machine. By default of odd size. Leave it as is.

    Its texture is as fine as pixels are, so that a resize without a filter shows; nothing in it is
    symmetric, so that a crop that is off by a pixel shows.
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = (x + 0.5) / width, (y + 0.5) / height
    sky = 0.55 + 0.35 * np.cos(2.1 * u + 0.4) * np.sin(2.7 * v + 0.3)
    grass = 0.75 + 0.25 * np.sin(2.3 * x + 0.7 * y) * np.sin(0.9 * x - 2.9 * y)
    bands = (0.7 + 0.3 * (np.floor(x / 3 + y / 7) % 2)) * (1 - 0.3 * v - 0.1 * u + 0.1 * grass)
    hill = v > 0.62 + 0.11 * np.sin(7 * u)
    sign = (np.abs(u - 0.22) < 0.13) & (np.abs(v - 0.75) < 0.17)
    letters = 3 * np.sin(0.31 * x + 0.02 * y * np.sin(0.02 * x)) * np.sin(0.23 * y) + 0.9 - 0.2 * u
    sun = np.square((u - 0.7) * width / height) + np.square(v - 0.25) < 0.13**2
    channels = []
    for of_sky, of_grass, of_sun in ((0.9, 0.35, 1.0), (0.75, 0.55, 0.8), (1.0, 0.25, 0.3)):
        ground = np.where(hill, of_grass * grass + 0.1 * u, of_sky * sky)
        seen = np.where(sun, of_sun * bands, ground)
        channels.append(np.where(sign, letters, seen))  # black on white, at the ends of the range
    pixels = np.stack(channels, axis=-1).clip(0, 1) * 255
    return Image.fromarray(pixels.round().astype(np.uint8))
