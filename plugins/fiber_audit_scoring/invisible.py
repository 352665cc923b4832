"""Changes of images (n, c, h, w) in a data range that nobody sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional

from .by_content import normal_for

JITTER = 0.01
"""Of the data range."""
SMALLER = 0.875
"""Of the side, where an image is resized and back."""
Change = Callable[[Tensor, float, float], Tensor]
"""(images, low, high) -> images."""


def eight_bits(x: Tensor, low: float, high: float) -> Tensor:
    """What a saved file shows.

    >>> import torch
    >>> eight_bits(torch.tensor([0.1, 1.0]), 0, 1) * 255
    tensor([ 26., 255.])
    """
    return low + (high - low) * (((x - low) / (high - low)).clamp(0, 1) * 255).round() / 255


def jittered(x: Tensor, low: float, high: float) -> Tensor:
    """A hundredth of noise, always the same for the same image."""
    noise = normal_for(x, "brittle", x.shape[1:])
    return (x + JITTER * (high - low) * noise).clamp(low, high)


def resized(x: Tensor, low: float, high: float) -> Tensor:
    """An eighth smaller and back, antialiased."""
    side = tuple(max(1, round(SMALLER * length)) for length in x.shape[2:])
    there = functional.interpolate(x, side, mode="bilinear", antialias=True)
    back = functional.interpolate(there, tuple(x.shape[2:]), mode="bilinear", antialias=True)
    return back.clamp(low, high)


CHANGES: Mapping[str, Change] = {
    "eight_bits": eight_bits,
    "jitter": jittered,
    "resize": resized,
}
