"""Health: are draws over-textured? Guidance that fools the extractor hides in fine detail."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fiber_audit.contracts import Axis, Better, Block, Metric, Needs, NonNegative, Statistic
from fiber_audit.measuring import Observations, per_query, undefined

from .far_out import far_out
from .ratio import both_means, ratio_to_unguided

MARGIN = 0.01
"""A difference in energy share too small to see."""
CUT = 0.25
"""Cycles per pixel above which a frequency is high: half of what a grid can carry along an axis."""


def high_frequency_share(images: Tensor) -> Tensor:
    """Share of each image's energy (about its mean) above CUT: (n, c, h, w) -> (n,) float64.

    A flat image has none.

    >>> row, column = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    >>> checkerboard, slow = (row + column) % 2, torch.cos(torch.pi * row / 4)
    >>> high_frequency_share(torch.stack([checkerboard, slow])[:, None]).round(decimals=6)
    tensor([1., 0.], dtype=torch.float64)
    """
    x = images.double()
    h, w = x.shape[-2:]
    power = torch.fft.fft2(x - x.mean((-2, -1), keepdim=True)).abs().square()
    fy, fx = (torch.fft.fftfreq(size, device=x.device) for size in (h, w))
    high = (fy[:, None].square() + fx.square()).sqrt() > CUT
    total = power.sum((1, 2, 3))
    share = power[..., high].sum((1, 2)) / total.clamp(min=1e-12)
    return torch.where(total > 1e-9, share, 0.0)


class HighFrequency(Metric):
    """`high_frequency`: the draws' share of energy in fine detail relative to unguided draws.

    Statistics: mean (ratio of means, 1 = like the prior), draws and unguided (the shares
    themselves). Undefined for tables. fence: see `far_out`; a draw beyond it is suspected.
    """

    axis: Axis = "health"
    better: Better = "lower"
    unit = "relative"
    needs = Needs(extractors=())

    def __init__(self, fence: NonNegative = 3.0) -> None:
        self.fence = fence

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """`share`, (n,); nothing of what is no image."""
        return {"share": high_frequency_share(block.data)} if block.data.ndim == 4 else {}

    def summarise(self, seen: Observations) -> list[Statistic]:
        """Pooled and per query; n counts draws, uncertainty is over queries."""
        if not seen.shows("draws", "share"):
            return [undefined("mean", "only images have frequencies")]
        draws, unguided = seen.draws("share"), seen.unguided("share")
        ratio = ratio_to_unguided(draws, unguided, seen.seed)
        if ratio.value is None:
            return [ratio]
        found = [ratio, *both_means(draws, unguided, seen.seed, unit="share")]
        return found + per_query(seen.ids, draws / np.nanmean(unguided))

    def suspicious(self, seen: Observations) -> NDArray[np.bool_] | None:
        """(q, k) bool: far more fine detail than unguided draws; None for tables."""
        if not seen.shows("draws", "share"):
            return None
        return far_out(seen.draws("share"), seen.unguided("share"), MARGIN, self.fence)
