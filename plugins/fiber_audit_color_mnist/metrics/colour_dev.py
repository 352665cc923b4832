"""Do draws keep the foreground half a turn away from the background, as all data do?"""

from __future__ import annotations

import torch
from torch import Tensor

from fiber_audit.context import Context
from fiber_audit.contracts import Axis, Better, Measurement, Metric
from fiber_audit.uncertainty import measured

from ..colouring import decolorize
from .per_query import per_query


def deviation(x: Tensor) -> Tensor:
    """|brightest decolorised pixel - 1|: coloured digits (n, 3, h, w) -> (n,) float64.

    0 for a digit with at least one full stroke in the foreground that belongs to its background.

    >>> from ..colouring import colorize
    >>> m = torch.zeros(1, 1, 2, 2); m[..., 1] = 1.0
    >>> back = torch.tensor([[0.25, 0.5, 0.75]])
    >>> deviation(colorize(m, back))
    tensor([0.], dtype=torch.float64)
    >>> deviation(colorize(m, back, fg=back))
    tensor([1.], dtype=torch.float64)
    """
    return torch.sub(decolorize(x.double()).flatten(1).amax(1), 1).abs()


class ColourDev(Metric):
    """`colour_dev`: mean deviation from the foreground-background rule, 0 for real digits.

    Statistics: mean (also per query), unguided, query (the queries themselves). n counts images;
    uncertainty is over queries.
    """

    axis: Axis = "consistency"
    better: Better = "lower"
    unit = "mask"

    def measure(self, context: Context) -> list[Measurement]:
        """Pooled and per query."""
        rows = {
            "mean": context.grouped(deviation(context.draws.data)).numpy(),
            "unguided": context.grouped(deviation(context.unguided)).numpy(),
            "query": deviation(context.queries.data).numpy(),
        }
        found = [
            measured(self, "colour_dev", key, row, seed=context.seed, n=row.size)
            for key, row in rows.items()
        ]
        return found + per_query(self, "colour_dev", rows["mean"], context)
