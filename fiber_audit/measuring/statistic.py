"""Rows of numbers, NaN where a draw was lost -> statistics with their uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contracts import Statistic
from .jackknife import Array, Estimate, Scale, ratio_of
from .uncertainty import estimate, estimate_of_pairs, sums_and_counts

Rows = NDArray[Any]


@dataclass(frozen=True)
class Jackknifed(Statistic):
    """A statistic that knows what each group of queries moves, so that differences can be made."""

    moved: Array | None = field(default=None, compare=False, repr=False)


def measured(
    name: str,
    rows: Rows,
    compute: Callable[[Array], float] | None = None,
    *,
    seed: int = 0,
    n: int | None = None,
    unit: str | None = None,
    of_sums: bool = False,
    scale: Scale = "linear",
    seen_by: str | None = None,
    message: str = "",
) -> Statistic:
    """A pooled statistic: `estimate` of rows (q, ...), with a jackknife over queries.

    n is what the value rests on, by default how many numbers of rows are not NaN. compute must
    leave NaN out, too. scale: what the number can be, "positive" for a distance, "share" for a mean
    of zeros and ones. A value that is not a finite number is left out, with a message.
    """
    found = estimate(rows, compute, seed, of_sums, scale)
    count = int((~np.isnan(rows)).sum()) if n is None else n
    return told(name, found, count, unit=unit, seen_by=seen_by, message=message)


def measured_pairs(
    name: str, null: Rows, *, seed: int = 0, unit: str | None = None, seen_by: str | None = None
) -> Statistic:
    """The mean of random pairs (q, m), whose queries are shared between pairs; n counts pairs."""
    return told(name, estimate_of_pairs(null, seed), null.size, unit=unit, seen_by=seen_by)


def measured_ratio(
    name: str,
    above: Rows,
    below: Rows,
    *,
    compute: Callable[[Array], float] | None = None,
    pairs: bool = False,
    seed: int = 0,
    unit: str | None = None,
    seen_by: str | None = None,
    message: str = "",
) -> Statistic:
    """The mean of above over the mean of below, (q, ...) each; queries are left out of both.

    Both means leave NaN out. n counts the numbers of above. compute: another statistic of above,
    say `median`. pairs: below are random pairs, `Observations.null`, which queries share.

    >>> found = measured_ratio("mean", np.array([[1.0, 3.0], [np.nan, 2.0]]), np.array([4.0, 4.0]))
    >>> found.value, found.n
    (0.5, 3)
    """
    scale = estimate_of_pairs(below, seed) if pairs else estimate(below, seed=seed)
    found = ratio_of(estimate(above, compute, seed), scale)
    count = int((~np.isnan(above)).sum())
    return told(name, found, count, unit=unit, seen_by=seen_by, message=message)


def told(
    name: str,
    found: Estimate,
    n: int | None = None,
    *,
    unit: str | None = None,
    seen_by: str | None = None,
    message: str = "",
) -> Statistic:
    """An estimate under its name; n is what it rests on, by default that of the estimate."""
    count = found.n if n is None else n
    if not count:
        return undefined(name, "all draws were lost: nothing is left to measure", 0, None, seen_by)
    if not np.isfinite(found.value):
        return undefined(name, f"the {name} is not a finite number", count, None, seen_by)
    return Jackknifed(
        found.value,
        name,
        count,
        seen_by=seen_by,
        stderr=found.stderr,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        unit=unit,
        message=message,
        moved=found.moved,
    )


def undefined(
    name: str, message: str, n: int = 0, query: str | None = None, seen_by: str | None = None
) -> Statistic:
    """A statistic without a value, and why."""
    return Statistic(None, name, n, query, seen_by, message=message)


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
