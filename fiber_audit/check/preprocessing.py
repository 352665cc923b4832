"""Does an extractor prepare its input as the network's own library prepares a picture?

A library resizes pictures of 8 bits and rounds to 8 bits in between, so that the two ways never
agree exactly, and some networks make much of little. What rounding may do is therefore measured on
the network itself: what noise of the same size, at every scale, does to its features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..contracts import Extractor
from . import network
from .photograph import photograph, pixels_of

SIZES = ((301, 203), (903, 609))
"""Width and height of the pictures: near the size of most networks' inputs, and well above it."""
FACTOR = 3.0
"""A gap is rounding up to this many times what noise does."""
EXACT = 1e-3
"""A gap, relative to the features, that is always allowed."""
OCTAVES = 5


@torch.no_grad()
def preprocessing_problem(extractor: Extractor) -> str | None:
    """One sentence where `features` and `features_of_picture` do not agree, or None."""
    shape = extractor.input_shape
    if shape is not None and (len(shape) != 3 or shape[0] not in (1, 3)):
        return None  # no picture is such an input
    channels, sizes = (3, SIZES) if shape is None else (shape[0], ((shape[2], shape[1]),))
    for width, height in sizes:
        picture = photograph(width, height, channels)
        wanted = extractor.features_of_picture(picture)
        if wanted is None:
            return None
        x = pixels_of(picture).to(network.device_of(extractor.network))
        given, noisy = extractor.features(x), extractor.features((x + _noise(x)).clamp(0, 1))
        if wanted.shape != given.shape:
            return (
                f"features_of_picture() gives {tuple(wanted.shape)}, features() of the same "
                f"picture {tuple(given.shape)}; let both end in the same layer."
            )
        gap, rounding = _apart(given, wanted), _apart(noisy, given)
        if not gap <= max(FACTOR * rounding, EXACT):
            return (
                f"features of a {width} x {height} picture differ by {gap:.1e} of their size (RMS) "
                f"from those of the library's own preprocessing, where rounding makes "
                f"{rounding:.1e}; compare mean and std, [0, 1] or [0, 255], RGB or BGR, resize "
                f"and crop (by a pixel?), interpolation, antialias."
            )
    return None


def _noise(x: Tensor) -> Tensor:
    """What rounding to 8 bits adds, at every scale: in blocks of 1, 2, 4 ... pixels."""
    generator = torch.Generator().manual_seed(0)
    h, w = x.shape[-2:]
    total = torch.zeros(x.shape)
    for block in (2**k for k in range(OCTAVES)):
        coarse = torch.rand((*x.shape[:2], -(-h // block), -(-w // block)), generator=generator)
        fine = coarse.repeat_interleave(block, 2).repeat_interleave(block, 3)
        total += (fine[..., :h, :w] - 0.5) / 255
    return total.to(x.device)


def _apart(a: Tensor, b: Tensor) -> float:
    """RMS of the difference, relative to that of b."""
    size = b.double().square().mean().sqrt().clamp(min=torch.finfo(torch.float32).tiny)
    return float((a.to(b).double() - b.double()).square().mean().sqrt() / size)
