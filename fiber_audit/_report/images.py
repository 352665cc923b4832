"""Arrays -> WebP pictures, in the page or beside it."""

from __future__ import annotations

import base64
import io

import numpy as np

LARGEST = 96
"""Longest side of a picture on the page, in pixels."""
SMALLEST = 24
SHARP = 64
"""Up to this side every pixel is kept; larger pictures are photographs, and kept as such."""


def side_for(pictures: int, pixels: int) -> int:
    """The longest side at which so many square pictures stay within a number of pixels.

    >>> side_for(100, 4_000_000), side_for(1600, 4_000_000), side_for(10**9, 4_000_000)
    (96, 50, 24)
    """
    return int(np.clip(np.sqrt(pixels / max(pictures, 1)), SMALLEST, LARGEST))


def data_uri(image: np.ndarray, side: int = LARGEST) -> str:
    """An image (c, h, w) in [0, 1] as a data URI, its longest side at most `side` pixels.

    One channel is grey, three are red, green and blue; of any other number the first is shown.
    Small images keep their pixels: the page enlarges them.
    """
    return "data:image/webp;base64," + base64.b64encode(webp(image, side)).decode("ascii")


def webp(image: np.ndarray, side: int | None = None) -> bytes:
    """The same as the content of a file; without a side at full size."""
    from PIL import Image

    shown = image if len(image) == 3 else np.repeat(image[:1], 3, axis=0)
    levels = np.rint(np.clip(np.nan_to_num(shown), 0, 1) * 255).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)), "RGB")
    if side is not None:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()  # without loss "quality" is effort: more makes no smaller thumbnails
    sharp = max(image.shape[1:]) <= SHARP
    picture.save(buffer, "WEBP", lossless=sharp, quality=0 if sharp else 88, method=2)
    return buffer.getvalue()
