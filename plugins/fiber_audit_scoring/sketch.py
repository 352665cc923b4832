"""A few numbers of an input that keep most of how inputs of one fiber differ."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SIDE = 8
"""Pixels of the side of a thumbnail."""
FEW = 256
"""So many numbers are kept as they are."""
NUMBERS = 64
"""Random projections of what is no small image and has more numbers than that."""


def sketched(x: Tensor) -> Tensor:
    """Rows (n, ...) -> (n, m) float64, m <= 256: few numbers themselves, images as thumbnails.

    >>> sketched(torch.ones(2, 3, 64, 64)).shape, sketched(torch.ones(2, 8)).shape
    (torch.Size([2, 192]), torch.Size([2, 8]))
    """
    flat = x.flatten(1)
    if flat.shape[1] <= FEW:
        return flat.double()
    if x.ndim == 4 and x.shape[1] * SIDE * SIDE <= FEW:
        return functional.adaptive_avg_pool2d(x, SIDE).flatten(1).double()
    return projected(x, NUMBERS)


def projected(x: Tensor, count: int) -> Tensor:
    """The same random directions of all rows (n, ...), whatever run it is: (n, count) float64."""
    flat = x.flatten(1)
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn((count, flat.shape[1]), generator=generator) / flat.shape[1] ** 0.5
    return flat.double() @ directions.to(x.device).double().T
