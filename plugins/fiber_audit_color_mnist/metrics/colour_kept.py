"""Do draws keep the colour of their query, or is it free along the fiber?"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from fiber_audit.contracts import Axis, Better, Block, Metric, Needs, Statistic
from fiber_audit.measuring import Observations, estimate, per_query, ratio_of, told, undefined

from ..colouring import background_of


def colour_distance(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Mean absolute difference over channels: colours (..., 3) and (..., 3) -> (...) float64.

    >>> round(float(colour_distance([0.7, 0.5, 0.1], [0.7, 0.5, 0.4])), 6)
    0.1
    """
    return np.abs(np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)).mean(-1)


def distance_of_pairs(colours: ArrayLike) -> float:
    """Mean distance of all pairs of different rows of colours (q, 3), q >= 2.

    In sorted order i (q - i) pairs lie across the i-th gap, so that no pair has to be formed.

    >>> round(distance_of_pairs([[0.0], [0.3], [0.9]]), 6)
    0.6
    """
    gaps = np.diff(np.sort(np.asarray(colours, dtype=np.float64), axis=0), axis=0)
    q = len(gaps) + 1
    across = np.arange(1, q) * np.arange(q - 1, 0, -1)
    return float((across[:, None] * gaps).sum(0).mean() * 2 / (q * (q - 1))) if q > 1 else math.nan


class ColourKept(Metric):
    """`colour_kept`: colour difference of draw and query over that of random pairs of queries.

    0: the fiber keeps the colour. 1: it is free. Which is right depends on the extractor (its
    shape code must leave the colour free, its colour code must keep it), so that neither is
    better; the axis is diversity, for the metric tells along which attribute draws vary.
    Statistics: mean (also per query), unguided. n counts draws; uncertainty is over queries, which
    are left out of their draws and of all their pairs.
    """

    axis: Axis = "diversity"
    better: Better = ""
    unit = "random pairs = 1"
    needs = Needs(parts=("draws", "unguided", "queries"), extractors=())

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """`background`, (n, 3)."""
        return {"background": background_of(block.data)}

    def summarise(self, seen: Observations) -> list[Statistic]:
        """Pooled and per query."""
        own = seen.queries("background")
        if len(own) < 2:
            return [undefined("mean", "one query has no random pairs; use two or more")]
        scale = estimate(own, distance_of_pairs)
        if not scale.value > 0:
            return [undefined("mean", "all queries have the same background: no scale")]
        draws, unguided = (
            colour_distance(colours, own[:, None])
            for colours in (seen.draws("background"), seen.unguided("background"))
        )
        return [
            *(
                told(name, ratio_of(estimate(x), scale), int((~np.isnan(x)).sum()))
                for name, x in (("mean", draws), ("unguided", unguided))
            ),
            *per_query(seen.ids, draws / scale.value),
        ]
