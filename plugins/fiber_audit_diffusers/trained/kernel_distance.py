"""The kernel distance of two sets of features (KID), unbiased, with a standard error."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

BLOCKS = 10
"""Of rows that the jackknife leaves out in turn."""


@dataclass(frozen=True)
class Distance:
    """A squared distance, 0 in the mean for two samples of one law, and its standard error."""

    value: float
    stderr: float


def kernel_distance(x: Tensor, y: Tensor) -> Distance | None:
    """Unbiased squared maximum mean discrepancy of x (n, d) and y (m, d), in float64.

    By the kernel (x . y / d + 1)^3; Binkowski et al., ICLR 2018. The standard error is that of a
    jackknife over ten blocks of rows, which must be in random order. None below 20 rows,
    and where numbers are too large for a finite one.

    >>> x = torch.arange(20.0)[:, None]
    >>> kernel_distance(x, x + 1).value == kernel_distance(x + 1, x).value
    True
    """
    if min(len(x), len(y)) < 2 * BLOCKS:
        return None
    x, y = x.double(), y.double()
    xx, yy, xy = ((a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    left = torch.arange(len(x)) % BLOCKS, torch.arange(len(y)) % BLOCKS
    less = torch.stack(
        [
            _estimate(xx[i][:, i], yy[j][:, j], xy[i][:, j])
            for i, j in ((left[0] != block, left[1] != block) for block in range(BLOCKS))
        ]
    )
    stderr = (BLOCKS - 1) / BLOCKS**0.5 * less.std(correction=0)
    value = float(_estimate(xx, yy, xy))
    return Distance(value, float(stderr)) if isfinite(value + float(stderr)) else None


def _estimate(xx: Tensor, yy: Tensor, xy: Tensor) -> Tensor:
    """From the kernel within and between: pairs of a row with itself do not count.

    >>> one = torch.ones(2, 2)
    >>> _estimate(one, one, 0 * one)
    tensor(2.)
    """
    n, m = len(xx), len(yy)
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return within - 2 * xy.mean()
