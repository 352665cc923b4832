"""Attributes of images: where their matter is, and on which side there is more of it."""

from __future__ import annotations

import torch
from torch import Tensor

from fiber_audit.contracts import Attribute

from .brightness import images


class Position(Attribute):
    """`position`: the centre of what differs from the border's mean, (n, 2): down and right.

    Weights are the absolute differences of each pixel to the mean of the image's border, over all
    channels. From 0, the upper left corner, to 1. A definition.
    """

    unit = "image size"

    def read(self, x: Tensor) -> Tensor:
        """Images (n, c, h, w) -> (n, 2); the middle where an image is flat."""
        weight = _matter(images(x, "position"))
        height, width = weight.shape[1:]
        down = (torch.arange(height, device=x.device, dtype=torch.float64) + 0.5) / height
        right = (torch.arange(width, device=x.device, dtype=torch.float64) + 0.5) / width
        whole = weight.sum(dim=(1, 2))
        flat = whole < 1e-9
        whole = whole.clamp(min=1e-9)
        found = torch.stack(
            [(weight.sum(2) * down).sum(1) / whole, (weight.sum(1) * right).sum(1) / whole], dim=1
        )
        return torch.where(flat[:, None], torch.full_like(found, 0.5), found)


class MirrorSide(Attribute):
    """`mirror-side`: which half of an image is brighter: 0 left, 1 right. A definition.

    For a side that brightness does not tell, give a probe of your own: see `function`.
    """

    kind = "class"

    def read(self, x: Tensor) -> Tensor:
        """Images (n, c, h, w) -> (n,) int64; a tie is left."""
        columns = images(x, "mirror-side").double().mean(dim=(1, 2))
        half = columns.shape[1] // 2
        return (columns[:, -half:].sum(1) > columns[:, :half].sum(1)).long()


def _matter(x: Tensor) -> Tensor:
    """|x - mean of the border|, summed over channels: (n, c, h, w) -> (n, h, w) float64."""
    x = x.double()
    edges = x[:, :, 0], x[:, :, -1], x[:, :, 1:-1, 0], x[:, :, 1:-1, -1]
    border = torch.cat(edges, dim=2).mean(dim=2)
    return (x - border[:, :, None, None]).abs().sum(dim=1)
