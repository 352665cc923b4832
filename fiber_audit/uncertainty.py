"""Confidence intervals by bootstrap over queries, the units that were sampled independently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 1000
Array = np.ndarray


@dataclass(frozen=True)
class Estimate:
    """A value with its bootstrap standard error and 95 % interval (None below two rows)."""

    value: float
    stderr: float | None
    ci_low: float | None
    ci_high: float | None
    n: int


def estimate(
    rows: Array, statistic: Callable[[Array], float] | None = None, seed: int = 0
) -> Estimate:
    """Statistic of rows (q, ...) and its uncertainty under resampling of rows.

    statistic maps rows to one number; by default their mean. Percentile intervals, float64.

    >>> e = estimate(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> e.value, e.n
    (2.5, 4)
    """
    rows = np.asarray(rows, dtype=np.float64)
    compute = statistic if statistic is not None else _mean
    value = float(compute(rows))
    if len(rows) < 2:
        return Estimate(value, None, None, None, len(rows))
    result = stats.bootstrap(
        (np.arange(len(rows)),),
        lambda index: compute(rows[index]),
        n_resamples=RESAMPLES,
        vectorized=False,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    interval = result.confidence_interval
    numbers = (float(result.standard_error), float(interval.low), float(interval.high))
    if not np.isfinite(numbers).all():
        return Estimate(value, None, None, None, len(rows))
    return Estimate(value, *numbers, len(rows))


def _mean(rows: Array) -> float:
    return float(rows.mean())
