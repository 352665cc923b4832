"""One picture of any kind, decoded: upright, opaque, grey or colour.

Pillow decodes. What it would do quietly and wrongly (clip 16 bits to 8, show floats as white) is
done right here or refused. Colour profiles are not applied, as in the usual training pipelines.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

Alpha = Literal["white", "black", "refuse"]
GREY = ("1", "L", "LA", "La", "I", "F")
BITS, PHOTOMETRIC = 258, 262
"""Tags of TIFF."""


class Unreadable(ValueError):
    """A picture that cannot be decoded; the message is a few words, to stand in brackets."""


def decoded(file: IO[bytes], alpha: Alpha = "white") -> Image.Image:
    """The first frame of an encoded picture, as its EXIF orientation says.

    alpha: what shows through transparent pixels, or that they are refused.

    Returns:
        Mode "L" or "RGB", 8 bits; or "F" in [0, 1], where the file has 16 bits of grey. Of colour
        with 16 bits Pillow keeps the upper 8.

    Raises:
        Unreadable: it is damaged, no picture, or of a kind whose range nobody can know.
    """
    with _opened(file) as image:
        if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
            kind = "floats" if image.mode == "F" else "32-bit integers"
            raise Unreadable(f"{kind}, whose range is unknown: save it with 8 or 16 bits")
        image.load()
        upright = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):
            return _sixteen_bits(upright, image)
        if upright.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in upright.info:
            return _opaque(upright, alpha)
        return upright.convert("L" if upright.mode in GREY else "RGB")


def is_grey(file: IO[bytes]) -> bool:
    """Whether a picture is stored without colour; only its header is read.

    Raises:
        Unreadable: it has no header of a picture.
    """
    with _opened(file) as image:
        return image.mode in GREY or image.mode.startswith("I;16")


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[Image.Image]:
    """The opened picture; within, warnings are quiet and every exception is Unreadable."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, odd EXIF, odd palettes
            with Image.open(file) as image:
                yield image
    except Unreadable:
        raise
    except UnidentifiedImageError as error:
        empty = not file.seek(0, 2)
        raise Unreadable("an empty file" if empty else "not a picture") from error
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise Unreadable(f"more than {limit} million pixels: scale it down") from error
    except Exception as error:  # a damaged file makes Pillow raise almost anything
        told = str(error).partition("\n")[0] or type(error).__name__
        raise Unreadable("truncated" if "truncated" in told.lower() else told) from error


def _sixteen_bits(upright: Image.Image, image: Image.Image) -> Image.Image:
    tags = getattr(image, "tag_v2", {})
    if tags.get(BITS, 16) not in (16, (16,)) or tags.get(PHOTOMETRIC) == 0:
        raise Unreadable("a TIFF of an odd kind: save it as a PNG of 16 bits")
    if "transparency" in image.info:
        raise Unreadable("16 bits with transparency: save it without")
    return Image.fromarray(np.asarray(upright).astype(np.float32) / 65535)


def _opaque(image: Image.Image, alpha: Alpha) -> Image.Image:
    grey = image.mode in GREY
    rgba = image.convert("RGBA")
    if alpha == "refuse" and rgba.getchannel("A").getextrema() != (255, 255):
        raise Unreadable('transparent: choose alpha = "white" or "black"')
    behind = Image.new("RGBA", rgba.size, "black" if alpha == "black" else "white")
    return Image.alpha_composite(behind, rgba).convert("L" if grey else "RGB")
