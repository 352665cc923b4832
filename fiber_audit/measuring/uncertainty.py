"""Rows of numbers, one per query -> an estimate: the value, and what it is without each query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jackknife import CONFIDENCE, Array, Estimate, Scale, groups_of, moved_by
from .medians import estimate_of_median, median

__all__ = ["CONFIDENCE", "Array", "Estimate", "estimate", "estimate_of_pairs", "sums_and_counts"]


def estimate(
    rows: NDArray[Any],
    statistic: Callable[[Array], float] | None = None,
    seed: int = 0,
    of_sums: bool = False,
    scale: Scale = "linear",
) -> Estimate:
    """Statistic of rows (q, ...) and its uncertainty, by the jackknife over rows.

    statistic maps rows to one number; by default their mean without NaN. It has to be smooth in
    them: of the statistics that are not, `median` is known and has an interval of its own. Rows
    that hold nothing but NaN, queries that lost every draw, are left out. float64.
    of_sums: statistic maps the sum of the rows (...) to one number, and rows hold no NaN. Means,
    their ratios and distances of histograms are such; they cost little at any size.
    seed: chooses the groups that are left out together where there are many rows.

    >>> e = estimate(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> e.value, e.n
    (2.5, 4)
    """
    numbers = np.asarray(rows, dtype=np.float64)
    flat = numbers.reshape(len(numbers), -1) if numbers.size else np.empty((0, 1))
    there = np.asarray(~np.isnan(flat).all(axis=1))
    if not there.any():
        return Estimate(float("nan"), None, None, None, 0)
    if statistic is median:
        return estimate_of_median(numbers, seed)
    group = groups_of(len(numbers), seed)
    if statistic is None:
        value, without = _of_sums(sums_and_counts(numbers), _quotient, group)
    elif of_sums:
        value, without = _of_sums(numbers, statistic, group)
    else:
        value, without = _of_rows(numbers, statistic, group, there)
    n = int(there.sum())
    return moved_by(value, _moved(value, without, group[there]), n, scale)


def estimate_of_pairs(null: NDArray[Any], seed: int = 0) -> Estimate:
    """The mean of `random_pairs` (q, m), whose pairs are shared.

    A query is left out of its own pairs and of the pairs that others formed with it. The latter are
    the former where all pairs were formed, and of the same law where some were.
    """
    q, group = len(null), groups_of(len(null), seed)
    value, without = _of_sums(sums_and_counts(null), _quotient, group, times=2)
    if q == 2:  # one pair: a scale that cannot be doubted
        without = np.full(q, value)
    return moved_by(value, _moved(value, without, group), q, "positive")


def sums_and_counts(rows: NDArray[Any]) -> Array:
    """What a mean is made of: the sum of each row (q, ...) without NaN, and its size, (q, 2).

    >>> sums_and_counts(np.array([[1.0, 2.0], [5.0, np.nan]]))
    array([[3., 2.],
           [5., 1.]])
    """
    numbers = np.asarray(rows, dtype=np.float64).reshape(len(rows), -1)
    known = ~np.isnan(numbers)
    return np.column_stack([np.where(known, numbers, 0.0).sum(axis=1), known.sum(axis=1)])


def _quotient(sums: Array) -> float:
    return float(sums[0] / sums[1])


def _of_sums(
    rows: Array, compute: Callable[[Array], float], group: NDArray[np.int64], times: int = 1
) -> tuple[float, Array]:
    """The value, and without each group, whose sum counts so many times."""
    with np.errstate(all="ignore"):  # a value that is not finite is told of
        total = rows.sum(axis=0)
        part = np.zeros((group.max() + 1, *rows.shape[1:]))
        np.add.at(part, group, rows)
        return float(compute(total)), np.array([compute(total - times * one) for one in part])


def _of_rows(
    rows: Array,
    compute: Callable[[Array], float],
    group: NDArray[np.int64],
    there: NDArray[np.bool_],
) -> tuple[float, Array]:
    kept = [there & (group != one) for one in range(group.max() + 1)]
    with np.errstate(all="ignore"):  # a value that is not finite is told of
        without = [compute(rows[some]) if some.any() else np.nan for some in kept]
        return float(compute(rows[there])), np.array(without)


def _moved(value: float, without: Array, held: NDArray[np.int64]) -> Array | None:
    """The moves of the groups that hold something; None where one leaves no value."""
    there = np.isin(np.arange(len(without)), held)
    with np.errstate(invalid="ignore"):
        moved = without - value
    return np.where(there, moved, np.nan) if np.isfinite(moved[there]).all() else None
