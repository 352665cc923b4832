"""Rows of draws as `Observations` has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]


def laid_out(rows: Numbers, per_query: int, lost: NDArray[np.bool_] | None = None) -> Numbers:
    """Rows of draws (q * k, ...) -> (q, k, ...), NaN where lost; numbers that are no floats become.

    >>> laid_out(np.array([1, 2, 3, 4]), 2, np.array([[False, True], [False, False]]))
    array([[ 1., nan],
           [ 3.,  4.]])
    """
    grouped = rows.reshape(-1, per_query, *rows.shape[1:])
    if lost is None or not lost.any():
        return grouped
    if not np.issubdtype(grouped.dtype, np.floating):
        grouped = grouped.astype(np.float64)
    elif not (isinstance(grouped, np.memmap) and grouped.mode == "c"):  # "c" never writes the file
        grouped = grouped.copy()
    grouped[lost] = np.nan
    return grouped
