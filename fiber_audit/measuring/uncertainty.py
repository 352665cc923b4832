"""Confidence intervals by bootstrap over queries, the units that were sampled independently."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 1000
BYTES = 32e6
"""Of the resampled indices that are held at once."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with its bootstrap standard error and 95 % interval (None below two rows)."""

    value: float
    stderr: float | None
    ci_low: float | None
    ci_high: float | None
    n: int


def estimate(
    rows: NDArray[Any],
    statistic: Callable[[Array], float] | None = None,
    seed: int = 0,
    centred: bool = False,
    of_sums: bool = False,
) -> Estimate:
    """Statistic of rows (q, ...) and its uncertainty under resampling of rows.

    statistic maps rows to one number; by default their mean without NaN. Percentile intervals,
    float64. Rows that hold nothing but NaN, queries that lost every draw, are left out.
    centred: move the resampled values so that their mean is the value. For a distance between
    distributions, which repeated rows always inflate, so that a plain interval would miss it.
    of_sums: statistic maps the sum of the rows (...) to one number, and rows hold no NaN. Means,
    their ratios and distances of histograms are such; they cost little at any size.

    >>> e = estimate(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> e.value, e.n
    (2.5, 4)
    """
    numbers = np.asarray(rows, dtype=np.float64)
    numbers = numbers[~np.isnan(numbers).all(axis=tuple(range(1, numbers.ndim)))]
    if not len(numbers):
        return Estimate(float("nan"), None, None, None, 0)
    if statistic is None:
        return estimate(sums_and_counts(numbers), _quotient, seed, centred, of_sums=True)
    compute = statistic
    with np.errstate(invalid="ignore", divide="ignore"):  # a value that is not finite is told of
        value = float(compute(numbers.sum(axis=0) if of_sums else numbers))
        if len(numbers) < 2:
            return Estimate(value, None, None, None, len(numbers))
        resampled = _of_sums(numbers, compute) if of_sums else _of_rows(numbers, compute)
        stderr, low, high, middle = _bootstrapped(resampled, len(numbers), seed)
    shift = value - middle if centred else 0.0
    found = (stderr, low + shift, high + shift)
    if not np.isfinite(found).all():
        return Estimate(value, None, None, None, len(numbers))
    return Estimate(value, *found, len(numbers))


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


Resampled = Callable[[NDArray[np.int64]], Array]
"""Which rows (b, q) -> the statistic of each choice, (b,)."""


def _of_rows(rows: Array, compute: Callable[[Array], float]) -> Resampled:
    return lambda chosen: np.array([compute(rows[index]) for index in chosen])


def _of_sums(rows: Array, compute: Callable[[Array], float]) -> Resampled:
    """A sum of resampled rows is a product with how often each row was chosen."""
    q, flat = len(rows), rows.reshape(len(rows), -1)

    def values(chosen: NDArray[np.int64]) -> Array:
        places = chosen + q * np.arange(len(chosen))[:, None]
        times = np.bincount(places.ravel(), minlength=places.size).reshape(places.shape)
        return np.array([compute(sums.reshape(rows.shape[1:])) for sums in times @ flat])

    return values


def _bootstrapped(resampled: Resampled, q: int, seed: int) -> tuple[float, float, float, float]:
    """Standard error, both ends of the interval, and the mean of the resampled values."""
    with warnings.catch_warnings():  # a resample without a value leaves no interval
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        result = stats.bootstrap(
            (np.arange(q),),
            lambda chosen, axis: resampled(chosen),
            n_resamples=RESAMPLES,
            batch=max(1, int(BYTES / (8 * q))),
            vectorized=True,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
    low, high = result.confidence_interval
    middle = np.mean(result.bootstrap_distribution)
    return float(result.standard_error), float(low), float(high), float(middle)
