"""Resizing, differentiable, in the three ways that change a Fréchet distance.

    tf1         bilinear without half-pixel centres, as TensorFlow 1 and the FID network do it
    bilinear    bilinear with half-pixel centres, no filter: aliases when it shrinks
    antialias   bilinear with a filter as wide as the scale: what torchvision and PIL do

Images are (n, c, h, w) float in any range; so is the result, with the size asked for.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .choices import Resize


def resized(x: Tensor, size: tuple[int, int], how: Resize) -> Tensor:
    """Images at another size (height, width)."""
    if how == "tf1":
        from torch_fidelity.interpolate_compat_tensorflow import (
            interpolate_bilinear_2d_like_tensorflow1x,
        )

        found: Tensor = interpolate_bilinear_2d_like_tensorflow1x(x, size, align_corners=False)
        return found
    if tuple(x.shape[-2:]) == size:
        return x
    return F.interpolate(
        x, size, mode="bilinear", align_corners=False, antialias=how == "antialias"
    )


def eight_bit(x: Tensor) -> Tensor:
    """Round [0, 1] to 256 levels; the gradient passes as if nothing was rounded.

    >>> import torch
    >>> eight_bit(torch.tensor([0.001, 0.5, 2.0])) * 255
    tensor([  0., 128., 255.])
    """
    rounded = (x.detach() * 255).round().clamp(0, 255) / 255
    return x + (rounded - x.detach())
