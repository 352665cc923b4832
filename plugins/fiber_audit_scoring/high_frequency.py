"""Health: are draws over-textured? Guidance that fools the extractor hides in fine detail."""

from __future__ import annotations

import torch
from torch import Tensor

from fiber_audit.context import Context
from fiber_audit.contracts import Measurement, Metric
from fiber_audit.uncertainty import undefined

from .far_out import far_out
from .per_query import per_query
from .ratio import ratio_to_unguided

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
    fy, fx = torch.fft.fftfreq(h)[:, None], torch.fft.fftfreq(w)[None]
    high = (fx.square() + fy.square()).sqrt() > CUT
    total = power.sum((1, 2, 3))
    share = power[..., high].sum((1, 2)) / total.clamp(min=1e-12)
    return torch.where(total > 1e-9, share, 0.0)


class HighFrequency(Metric):
    """`high_frequency`: the draws' share of energy in fine detail relative to unguided draws.

    Statistics: mean (ratio of means, 1 = like the prior), draws and unguided (the shares
    themselves). Undefined for tables. fence: see `far_out`; a draw beyond it is suspected.
    """

    axis, better, unit = "health", "lower", "relative"

    def __init__(self, fence: float = 3.0) -> None:
        self.fence = fence

    def measure(self, context: Context) -> list[Measurement]:
        """Pooled and per query; n counts draws, uncertainty is over queries."""
        if context.draws.data.ndim != 4:
            return [undefined(self, "high_frequency", "mean", "only images have frequencies")]
        draws, unguided = self._shares(context)
        found = ratio_to_unguided(self, "high_frequency", draws, unguided, context, unit="share")
        if found[0].value is None:
            return found
        relative = (draws.mean(1) / unguided.mean()).numpy()
        return found + per_query(self, "high_frequency", relative, context, n=context.per_query)

    def suspicious(self, context: Context) -> Tensor | None:
        """(q, k) bool: far more fine detail than unguided draws; None for tables."""
        if context.draws.data.ndim != 4:
            return None
        return far_out(*self._shares(context), MARGIN, self.fence)

    @staticmethod
    def _shares(context: Context) -> tuple[Tensor, Tensor]:
        draws, unguided = (
            context.grouped(high_frequency_share(x)) for x in (context.draws.data, context.unguided)
        )
        return draws, unguided
