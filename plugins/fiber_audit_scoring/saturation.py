"""Health: are draws burnt out? Overdriven guidance pushes pixels to the ends of their range."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from fiber_audit.context import Context
from fiber_audit.contracts import Measurement, Metric
from fiber_audit.uncertainty import measured, undefined

from .far_out import far_out
from .per_query import per_query

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

    axis, better, unit = "health", "lower", "share"

    def __init__(self, fence: float = 3.0) -> None:
        self.fence = fence

    def measure(self, context: Context) -> list[Measurement]:
        """Pooled and per query; n counts draws, uncertainty is over queries."""
        if context.prior.data_range is None:
            message = "tables have no range to saturate"
            return [undefined(self, "saturation", "mean", message)]
        draws, unguided = self._shares(context, *context.prior.data_range)
        shares = {"mean": draws, "unguided": unguided}
        if "saturation" in context.draws.diagnostics:
            shares["outside"] = context.draws.diagnostics["saturation"].double()
        rows = {key: context.grouped(value).numpy() for key, value in shares.items()}
        found = [
            measured(self, "saturation", key, row, seed=context.seed, n=row.size)
            for key, row in rows.items()
        ]
        means: np.ndarray = rows["mean"].mean(1)
        return found + per_query(self, "saturation", means, context, n=context.per_query)

    def suspicious(self, context: Context) -> Tensor | None:
        """(q, k) bool: far more saturated than unguided draws; None for tables."""
        if context.prior.data_range is None:
            return None
        draws, unguided = self._shares(context, *context.prior.data_range)
        return context.grouped(far_out(draws, unguided, MARGIN, self.fence))

    @staticmethod
    def _shares(context: Context, low: float, high: float) -> tuple[Tensor, Tensor]:
        draws = share_at_ends(context.draws.data, low, high)
        return draws, share_at_ends(context.unguided, low, high)
