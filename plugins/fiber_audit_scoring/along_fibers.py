"""Statistics that vary along fibers, alike for a query and for its draws.

Where the query is one more draw of p(x | h), it and its k draws are k + 1 draws of one law:
whatever is computed of all k + 1 alike, also directions that are chosen by looking at all of them,
leaves the query's rank uniform. A direction or a centre that only the draws had a say in would not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PINNED = 0.01
"""A statistic that varies less within fibers, relative to its whole spread, tests rounding."""


@dataclass(frozen=True, eq=False)
class Fibers:
    """A query and its draws, q times: sets (q, 1 + k, m), the query first, NaN where lost."""

    sets: Array

    @classmethod
    def of(cls, queries: Array, draws: Array) -> Fibers:
        """Queries (q, m) and draws (q, k, m)."""
        return cls(np.concatenate([queries[:, None], draws], axis=1).astype(np.float64))

    @property
    def centred(self) -> Array:
        """Less the mean of query and draws."""
        return self.sets - np.nanmean(self.sets, axis=1, keepdims=True)

    def components(self, count: int) -> list[Array]:
        """Along the directions in which sets vary most, (q, 1 + k) each, the first most of all."""
        apart = np.nan_to_num(self.centred).reshape(-1, self.sets.shape[2])
        _, vectors = np.linalg.eigh(apart.T @ apart)
        return list(np.moveaxis(self.sets @ vectors[:, ::-1][:, :count], 2, 0))

    def coordinates(self) -> list[Array]:
        """Each of the m numbers, (q, 1 + k)."""
        return list(np.moveaxis(self.sets, 2, 0))

    def distances(self) -> Array:
        """To the middle of query and draws, (q, 1 + k)."""
        return np.asarray(np.sqrt(np.square(self.centred).sum(axis=2)))


def varies(values: Array) -> bool:
    """False where phi pins a statistic (q, 1 + k) to one value on each fiber."""
    within = values - np.nanmean(values, axis=1, keepdims=True)
    spread = float(np.nanstd(values))
    return float(np.sqrt(np.nanmean(within**2))) > PINNED * spread > 0
