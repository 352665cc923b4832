"""The median of all draws, whose interval takes the draws of one query together.

A jackknife knows nothing of a median: leaving a query out moves it by one gap between two draws or
not at all. Its interval comes from the share F of draws below it, which is a mean over queries and
0.5: the quantiles at 0.5 -+ t stderr(F) (Woodruff, "Confidence intervals for medians", JASA 1952).
What one query moves is then its part of F, times the slope of the quantiles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jackknife import Array, Estimate, groups_of, moved_by, student


def median(rows: NDArray[np.floating]) -> float:
    """Of all numbers that are not NaN; NaN where there are none.

    >>> median(np.array([[1.0, np.nan], [2.0, 4.0]]))
    2.0
    """
    known = rows[~np.isnan(rows)]
    return float(np.median(known)) if known.size else float("nan")


def estimate_of_median(rows: Array, seed: int = 0) -> Estimate:
    """The median of rows (q, ...) over all their numbers, NaN left out, and what queries move."""
    flat = rows.reshape(len(rows), -1)
    value, counts = median(flat), (~np.isnan(flat)).sum(axis=1)
    n = int((counts > 0).sum())
    if n < 2 or not np.isfinite(value):
        return moved_by(value, None, n)
    below = (flat < value).sum(axis=1) + (flat == value).sum(axis=1) / 2
    group = groups_of(len(rows), seed)
    size, under = (np.bincount(group, weights=x) for x in (counts, below))
    held = size > 0
    part = np.where(held, (under - size * under.sum() / size.sum()) / size.sum(), np.nan)
    groups = int(held.sum())
    moved_share = -part * groups / (groups - 1)
    error = moved_by(0.5, moved_share, n)
    assert error.stderr is not None
    t = student(groups)
    ends = np.clip([0.5 - t * error.stderr, 0.5 + t * error.stderr], 0, 1)
    low, high = np.quantile(flat[~np.isnan(flat)], ends)
    slope = (high - low) / (ends[1] - ends[0]) if ends[1] > ends[0] else 0.0
    moved = -moved_share * slope  # fewer numbers below it, and the median rises
    found = moved_by(value, moved, n)
    return Estimate(value, found.stderr, float(low), float(high), n, moved)
