"""How much of the fiber do the draws of one query cover?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fiber_audit.contracts import Axis, Better, Block, Metric, Needs, Statistic
from fiber_audit.measuring import Observations, undefined

from .ratio import both_means, ratio_to_unguided

Array = NDArray[np.float64]


def distances_to_siblings(rows: Tensor) -> Tensor:
    """RMS distance of each row to every row of its group: (q, k, ...) -> (q, k, k) float64.

    >>> distances_to_siblings(torch.tensor([[[0.0, 0.0], [3.0, 4.0]]])).round(decimals=4)
    tensor([[[0.0000, 3.5355],
             [3.5355, 0.0000]]], dtype=torch.float64)
    """
    flat = rows.double().flatten(2)
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(flat, flat, compute_mode=exact) / flat.shape[2] ** 0.5


def mean_of_pairs(distances: Array) -> Array:
    """Mean over the k (k - 1) / 2 pairs of each group: (q, k, k) -> (q,).

    A lost row is NaN, and costs its pairs. A group without a pair is NaN.

    >>> lost = [np.nan, np.nan, np.nan]
    >>> mean_of_pairs(np.array([[[0.0, 1.0, 4.0], [1.0, 0.0, 9.0], lost]]))
    array([1.])
    """
    first, second = np.triu_indices(distances.shape[1], 1)
    pairs = (distances[:, first, second] + distances[:, second, first]) / 2
    known = ~np.isnan(pairs)
    return _divided(np.where(known, pairs, 0.0).sum(axis=1), known.sum(axis=1, dtype=np.float64))


class Diversity(Metric):
    """`diversity`: spread of one query's draws relative to its unguided draws (1 = the prior).

    Statistics: mean (ratio of the means over queries; per query, the query's own ratio), draws and
    unguided (mean pairwise RMS distances in data space). With `extractor`, also a mean seen by it:
    the ratio in that extractor's features. A fiber is a part of data space, so 1 is not the goal:
    it says that the extractor restricts nothing, or that the sampler ignores it. n counts queries
    with two draws or more; per query, the draws.
    """

    axis: Axis = "diversity"
    better: Better = "higher"
    unit = "relative"

    def __init__(self, extractor: str = "") -> None:
        self.extractor = extractor
        self.needs = Needs(extractors=(extractor,) if extractor else ())

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """RMS distances of each row to the k rows of its query, (n, k): `data` and `features`."""
        seen = {"data": block.data}
        if self.extractor:
            seen["features"] = block.features(self.extractor)
        return {
            name: distances_to_siblings(block.grouped(rows)).flatten(0, 1)
            for name, rows in seen.items()
        }

    def summarise(self, seen: Observations) -> list[Statistic]:
        """Pooled and per query; uncertainty is over queries."""
        by = self.extractor or None
        if seen.per_query < 2:
            why = "one draw per query has no spread; raise draws to two or more"
            return [undefined("mean", why, seen_by=view) for view in ([None, by] if by else [None])]
        draws, unguided = _spreads(seen, "data")
        found = [ratio_to_unguided(draws, unguided, seen.seed)]
        if found[0].value is not None:
            found += both_means(draws, unguided, seen.seed, unit="data")
        if by:
            found.append(ratio_to_unguided(*_spreads(seen, "features"), seen.seed, seen_by=by))
        ratios, left = _divided(draws, unguided), (~seen.lost).sum(axis=1)
        return found + [
            Statistic(ratio, "mean", n, query)
            for ratio, n, query in zip(ratios.tolist(), left.tolist(), seen.ids, strict=True)
            if not np.isnan(ratio)
        ]


def _spreads(seen: Observations, name: str) -> tuple[Array, Array]:
    """Of the draws and of the unguided draws of each query, (q,) each."""
    return mean_of_pairs(seen.draws(name)), mean_of_pairs(seen.unguided(name))


def _divided(above: Array, below: Array) -> Array:
    """NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
