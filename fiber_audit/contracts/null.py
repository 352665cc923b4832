"""The null: how far apart are two inputs taken at random? Bounded, so that size does not matter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PARTNERS = 128
"""Partners of a query where there are more queries than that."""
BYTES = 32e6
"""Of the float64 differences that are held at once."""


def random_pairs(
    features: NDArray[Any], rng: np.random.Generator, partners: int = PARTNERS
) -> NDArray[np.float64]:
    """RMS distance of each row (q, d) to m other rows: (q, m) float64, m = min(q - 1, partners).

    All others where they are few; else different ones for each row, drawn by rng.

    >>> random_pairs(np.array([[0.0], [3.0], [5.0]]), np.random.default_rng(0))
    array([[3., 5.],
           [3., 2.],
           [5., 2.]])
    """
    q, d = features.shape
    m = min(q - 1, partners)
    found = np.zeros((q, max(m, 0)))
    if m < 1:
        return found
    step = max(1, int(BYTES / (8 * m * d)))
    for first in range(0, q, step):
        rows = np.arange(first, min(first + step, q))
        others = np.stack([_others(row, q, m, rng) for row in rows])
        own = np.asarray(features[rows], dtype=np.float64)
        far = np.asarray(features[others.ravel()], dtype=np.float64).reshape(len(rows), m, d)
        far -= own[:, None]
        found[rows] = np.sqrt(np.square(far, out=far).mean(axis=-1))
    return found


def _others(row: int, q: int, m: int, rng: np.random.Generator) -> NDArray[np.int64]:
    chosen = np.arange(q - 1) if m == q - 1 else rng.choice(q - 1, m, replace=False)
    return chosen + (chosen >= row)
