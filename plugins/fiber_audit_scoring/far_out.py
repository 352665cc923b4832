"""When should a draw not be believed? When it lies far outside what the prior does unguided."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST = 8
"""Unguided draws below which quartiles say nothing, and nothing is suspected."""
Array = NDArray[np.float64]


def far_out(values: Array, normal: Array, margin: float, fence: float = 3.0) -> NDArray[np.bool_]:
    """Values above the far fence of the normal ones: Q3 + max(fence * (Q3 - Q1), margin).

    Three interquartile ranges above the upper quartile is Tukey's "far out" (Exploratory Data
    Analysis, 1977): about one draw in a million of a Gaussian. margin is a difference too small to
    matter, for normal values that hardly vary. NaN, a lost draw, is never far out and never normal.

    >>> normal = np.linspace(0, 1, 9)                   # quartiles 0.25 and 0.75, fence at 2.25
    >>> far_out(np.array([2.2, 2.3]), normal, margin=0.01)
    array([False,  True])
    """
    known = normal[~np.isnan(normal)]
    if known.size < FEWEST:
        return np.zeros(values.shape, dtype=bool)
    q1, q3 = np.quantile(known, [0.25, 0.75])
    return np.asarray(values > q3 + max(fence * (q3 - q1), margin))
