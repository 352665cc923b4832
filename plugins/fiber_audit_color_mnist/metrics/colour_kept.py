"""Do draws keep the colour of their query, or is it free along the fiber?"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fiber_audit.context import Context
from fiber_audit.contracts import Axis, Better, Measurement, Metric
from fiber_audit.uncertainty import measured, undefined

from ..colouring import background_of
from .per_query import per_query


def colour_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference over channels: colours (..., 3) and (..., 3) -> (...) float64.

    >>> colour_distance(torch.tensor([0.7, 0.5, 0.1]), torch.tensor([0.7, 0.5, 0.4]))
    tensor(0.1000, dtype=torch.float64)
    """
    return (a.double() - b.double()).abs().mean(-1)


def distance_of_pairs(colours: Tensor) -> float:
    """Mean distance of all pairs of different rows of colours (q, 3), q >= 2.

    >>> round(distance_of_pairs(torch.tensor([[0.0], [0.3], [0.9]])), 6)
    0.6
    """
    q = len(colours)
    return float(colour_distance(colours[:, None], colours[None]).sum() / (q * (q - 1)))


class ColourKept(Metric):
    """`colour_kept`: colour difference of draw and query over that of random pairs of queries.

    0: the fiber keeps the colour. 1: it is free. Which is right depends on the extractor (its
    shape code must leave the colour free, its colour code must keep it), so that neither is
    better; the axis is diversity, for the metric tells along which attribute draws vary.
    Statistics: mean (also per query), unguided. n counts draws; uncertainty is over queries, with
    the distance of random pairs held fixed.
    """

    axis: Axis = "diversity"
    better: Better = ""
    unit = "random pairs = 1"

    def measure(self, context: Context) -> list[Measurement]:
        """Pooled and per query."""
        own = background_of(context.queries.data)
        if len(own) < 2:
            message = "one query has no random pairs; use two or more"
            return [undefined(self, "colour_kept", "mean", message)]
        scale = distance_of_pairs(own)
        if not scale > 0:
            message = "all queries have the same background: no scale"
            return [undefined(self, "colour_kept", "mean", message)]

        def kept(x: Tensor) -> np.ndarray:
            colours = context.grouped(background_of(x))
            return np.asarray(torch.div(colour_distance(colours, own[:, None]), scale))

        rows = {"mean": kept(context.draws.data), "unguided": kept(context.unguided)}
        found = [
            measured(self, "colour_kept", key, row, seed=context.seed, n=row.size)
            for key, row in rows.items()
        ]
        return found + per_query(self, "colour_kept", rows["mean"], context)
