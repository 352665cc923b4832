"""Draws beside real rows, slot by slot: one slot holds one draw of each query.

Every slot is compared on its own and the mean over slots is the value, so that the number of rows
is that of queries whatever k, as in arXiv 2603.21782, section 4.1. A draw that was lost drops out
of its slot together with its query's real row; a slot with too few rows left drops out whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .moments import Array

Score = Callable[[Array, Array], float]
"""Features of draws (m, d) and of as many real rows (m, d) -> a number."""


def are_there(features: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows are not lost, (..., d) -> (...): a lost one is NaN all over.

    >>> are_there(np.array([[[1.0, 2.0], [np.nan, np.nan]]]))
    array([[ True, False]])
    """
    there: NDArray[np.bool_] = ~np.isnan(features).all(axis=-1)
    return there


class Slots:
    """Features of draws (q, k, d) beside those of real rows (q, d).

    there: (q, k), the draws to compare. smallest: the least number of rows that can be scored.
    """

    def __init__(
        self, draws: NDArray[Any], real: Array, there: NDArray[np.bool_], smallest: int = 2
    ) -> None:
        self.draws, self.real, self.there, self.smallest = draws, real, there, smallest
        rows = there.sum(axis=0)
        self.kept = np.flatnonzero(rows >= smallest)
        """The slots with rows enough."""
        self.fewest = int(rows[self.kept].min(initial=len(real)))
        """Rows of the smallest slot that is kept."""
        self.n = int(there[:, self.kept].any(axis=1).sum())
        """Queries of which a draw is compared."""

    def mean(self, score: Score, rows: NDArray[np.intp]) -> float:
        """Mean over the kept slots of the score of some queries, given by their numbers."""
        found = []
        for slot in self.kept:
            some = rows[self.there[rows, slot]]
            found.append(score(self.draws[some, slot], self.real[some]))
        return float(np.mean(found))

    @property
    def complete(self) -> NDArray[np.intp]:
        """Numbers of the queries that lost no draw of a kept slot."""
        return np.flatnonzero(self.there[:, self.kept].all(axis=1))
