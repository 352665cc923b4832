"""Rows of tables as a drawing: a line per row over the columns, the query's in bold."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from .._score.gallery import Gallery
from .plain import plain

MOST = 32
"""Columns of a drawing."""
WIDTH, HEIGHT, EDGE = 320, 56, 4


def strip(gallery: Gallery, i: int, draws: Sequence[int]) -> str:
    """An SVG element: columns from left to right, each from the least to the largest seen value.

    Where the lines part, the network does not look. Only numbers and an escaped text are in it.
    """
    columns = min(int(np.prod(gallery.queries.shape[1:])), MOST)
    q, k = gallery.fiber_loss.shape
    everything = np.concatenate(
        [
            gallery.queries.reshape(q, -1),
            gallery.draws.reshape(q * k, -1),
            gallery.unguided.reshape(q * k, -1),
        ]
    )[:, :columns].astype(np.float64)
    low, high = np.nanmin(everything, axis=0), np.nanmax(everything, axis=0)
    query = gallery.queries[i].reshape(-1)[:columns]
    rows = [gallery.draws[i, j].reshape(-1)[:columns] for j in draws]
    lines = "".join(f'<path class="draw" d="{_path(row, low, high)}"/>' for row in rows)
    alt = f"query {gallery.query_ids[i]} and {len(rows)} draws over {columns} columns; "
    alt += f"their largest distance is {_furthest(rows, query, low, high):.0%} of a column's range"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(plain(alt))}">'
        f'{lines}<path class="query" d="{_path(query, low, high)}"/></svg>'
    )


def _path(row: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    x = (
        np.linspace(EDGE, WIDTH - EDGE, len(row))
        if len(row) > 1
        else np.array([EDGE, WIDTH - EDGE])
    )
    share = np.resize(_share(row, low, high), len(x))
    y = EDGE + (1 - share) * (HEIGHT - 2 * EDGE)
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def _furthest(
    rows: Sequence[np.ndarray], query: np.ndarray, low: np.ndarray, high: np.ndarray
) -> float:
    own = _share(query, low, high)
    return max((float(np.abs(_share(row, low, high) - own).max()) for row in rows), default=0.0)


def _share(row: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Each value within its column's range; half where a column is constant."""
    wide = high > low
    return np.where(wide, (row - low) / np.where(wide, high - low, 1.0), 0.5).clip(0, 1)
