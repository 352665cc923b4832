"""Health: are draws burnt out? Overdriven guidance pushes pixels to the ends of their range."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fiber_audit.contracts import Axis, Better, Block, Metric, Needs, NonNegative, Statistic
from fiber_audit.measuring import Observations, measured, per_query, undefined

from .far_out import far_out

MARGIN = 0.02
"""A share of saturated values too small to see."""


def share_at_ends(data: Tensor, low: float, high: float) -> Tensor:
    """Share of each row's values that 8 bits show as lowest or highest: (n, ...) -> (n,) float64.

    >>> import torch
    >>> share_at_ends(torch.tensor([[0.0, 0.001, 0.5, 1.0]]), 0, 1)
    tensor([0.7500], dtype=torch.float64)
    """
    half_level = (high - low) / 510
    return ((data <= low + half_level) | (data >= high - half_level)).flatten(1).double().mean(1)


class Saturation(Metric):
    """`saturation`: share of values at the ends of the data range, 0 to 1; compare with unguided.

    Statistics: mean (the draws), unguided (the prior's own), outside (share of values that were
    outside the range before the final clamp, where the sampler reports it). Undefined for tables.
    fence: see `far_out`; a draw beyond it is suspected.
    """

    axis: Axis = "health"
    better: Better = "lower"
    unit = "share"
    needs = Needs(extractors=())

    def __init__(self, fence: NonNegative = 3.0) -> None:
        self.fence = fence

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """`share`, (n,); nothing of tables."""
        span = block.prior.data_range
        return {} if span is None else {"share": share_at_ends(block.data, *span)}

    def summarise(self, seen: Observations) -> list[Statistic]:
        """Pooled and per query; n counts draws, uncertainty is over queries."""
        if seen.data_range is None:
            return [undefined("mean", "tables have no range to saturate")]
        shares = {"mean": seen.draws("share"), "unguided": seen.unguided("share")}
        outside = seen.diagnostic("saturation")
        if outside is not None:
            shares["outside"] = outside
        found = [
            measured(name, rows, seed=seen.seed, scale="positive") for name, rows in shares.items()
        ]
        return found + per_query(seen.ids, shares["mean"])

    def suspicious(self, seen: Observations) -> NDArray[np.bool_] | None:
        """(q, k) bool: far more saturated than unguided draws; None for tables."""
        if seen.data_range is None:
            return None
        return far_out(seen.draws("share"), seen.unguided("share"), MARGIN, self.fence)
