"""Which queries and draws a card shows: as different as they come, and on the fiber."""

from __future__ import annotations

import numpy as np

from .._score.gallery import Gallery

QUERIES = 6
DRAWS = 4


def queries_of(gallery: Gallery, most: int = QUERIES) -> list[int]:
    """Evenly from the first query to the last, so that every card shows the same ones."""
    q = len(gallery.query_ids)
    return [int(i) for i in np.linspace(0, q - 1, min(q, most)).round()]


def most_different(gallery: Gallery, i: int, most: int = DRAWS) -> list[int]:
    """Draws of one query that differ most from it and from each other, nearest first.

    They are of the nearer half of the draws (but of no fewer than are wanted) and not suspicious;
    where all are suspicious, of those, which the page marks.
    """
    loss = gallery.fiber_loss[i]
    there = np.flatnonzero(~gallery.lost[i] & np.isfinite(loss))
    trusted = there[~gallery.suspicious[i][there]]
    near = trusted if len(trusted) else there
    if not len(near):
        return []
    near = near[np.argsort(loss[near], kind="stable")]
    near = near[: max(most, (len(near) + 1) // 2)]
    rows = gallery.draws[i][near].reshape(len(near), -1).astype(np.float64)
    gap = _distance(rows, gallery.queries[i].reshape(1, -1).astype(np.float64))
    chosen: list[int] = []
    while len(chosen) < min(most, len(near)):
        gap[chosen] = -1.0
        chosen.append(int(np.argmax(gap)))
        gap = np.minimum(gap, _distance(rows, rows[chosen[-1:]]))
    return [int(near[j]) for j in sorted(chosen)]


def _distance(rows: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Root mean square, (n, d) and (1, d) -> (n,)."""
    return np.sqrt(((rows - one) ** 2).mean(axis=1))
