"""Rows of numbers, NaN where a draw was lost -> statistics with their uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contracts import Statistic
from .uncertainty import Array, Estimate, estimate, sums_and_counts

Rows = NDArray[Any]


def measured(
    name: str,
    rows: Rows,
    compute: Callable[[Array], float] | None = None,
    *,
    seed: int = 0,
    n: int | None = None,
    unit: str | None = None,
    centred: bool = False,
    of_sums: bool = False,
    seen_by: str | None = None,
    message: str = "",
) -> Statistic:
    """A pooled statistic: `estimate` of rows (q, ...) under resampling of queries.

    n is what the value rests on, by default how many numbers of rows are not NaN. compute must
    leave NaN out, too. A value that is not a finite number is left out, with a message.
    """
    found = estimate(rows, compute, seed, centred, of_sums)
    count = int((~np.isnan(rows)).sum()) if n is None else n
    return _told(name, found, count, unit=unit, seen_by=seen_by, message=message)


def measured_ratio(
    name: str,
    above: Rows,
    below: Rows,
    *,
    seed: int = 0,
    unit: str | None = None,
    seen_by: str | None = None,
    message: str = "",
) -> Statistic:
    """The mean of above over the mean of below, (q, ...) each; queries are resampled together.

    Both means leave NaN out. n counts the numbers of above.

    >>> found = measured_ratio("mean", np.array([[1.0, 3.0], [np.nan, 2.0]]), np.array([4.0, 4.0]))
    >>> found.value, found.n
    (0.5, 3)
    """
    pairs = np.hstack([sums_and_counts(above), sums_and_counts(below)])
    found = estimate(pairs, _ratio_of_means, seed, of_sums=True)
    count = int((~np.isnan(above)).sum())
    return _told(name, found, count, unit=unit, seen_by=seen_by, message=message)


def _ratio_of_means(sums: Array) -> float:
    above, above_n, below, below_n = sums
    return float((above / above_n) / (below / below_n))


def _told(
    name: str,
    found: Estimate,
    n: int,
    *,
    unit: str | None,
    seen_by: str | None,
    message: str,
) -> Statistic:
    if not n:
        return undefined(name, "all draws were lost: nothing is left to measure", 0, None, seen_by)
    if not np.isfinite(found.value):
        return undefined(name, f"the {name} is not a finite number", n, None, seen_by)
    return Statistic(
        found.value,
        name,
        n,
        seen_by=seen_by,
        stderr=found.stderr,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        unit=unit,
        message=message,
    )


def undefined(
    name: str, message: str, n: int = 0, query: str | None = None, seen_by: str | None = None
) -> Statistic:
    """A statistic without a value, and why."""
    return Statistic(None, name, n, query, seen_by, message=message)


def median(rows: Rows) -> float:
    """Of all numbers that are not NaN; NaN where there are none.

    >>> median(np.array([[1.0, np.nan], [2.0, 4.0]]))
    2.0
    """
    known = rows[~np.isnan(rows)]
    return float(np.median(known)) if known.size else float("nan")


def per_query(ids: Sequence[str], rows: Rows, n: int | None = None) -> list[Statistic]:
    """The mean of each query, rows (q, k); queries that lost every draw are left out.

    n is what each rests on, by default how many of its numbers are not NaN.

    >>> [(s.query, s.value, s.n) for s in per_query(["a", "b"], np.array([[1, 2], [3, np.nan]]))]
    [('a', 1.5, 2), ('b', 3.0, 1)]
    """
    found = []
    for query, (total, count) in zip(ids, sums_and_counts(rows).tolist(), strict=True):
        if not count:
            continue
        resting = int(count) if n is None else n
        if np.isfinite(total):
            found.append(Statistic(total / count, "mean", resting, query))
        else:
            found.append(undefined("mean", "the mean is not a finite number", resting, query))
    return found
