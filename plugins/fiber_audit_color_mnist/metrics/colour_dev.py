"""Do draws keep the foreground half a turn away from the background, as all data do?"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from fiber_audit.contracts import Axis, Better, Block, Metric, Needs, Statistic
from fiber_audit.measuring import Observations, measured, per_query

from ..colouring import decolorize


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
    needs = Needs(parts=("draws", "unguided", "queries"), extractors=())

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """`deviation`, (n,)."""
        return {"deviation": deviation(block.data)}

    def summarise(self, seen: Observations) -> list[Statistic]:
        """Pooled and per query."""
        rows = {
            "mean": seen.draws("deviation"),
            "unguided": seen.unguided("deviation"),
            "query": seen.queries("deviation"),
        }
        found = [measured(name, row, seed=seen.seed) for name, row in rows.items()]
        return found + per_query(seen.ids, rows["mean"])
