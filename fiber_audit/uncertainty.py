"""Confidence intervals by bootstrap over queries, the units that were sampled independently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from .contracts import Measurement, Metric

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
    rows: Array,
    statistic: Callable[[Array], float] | None = None,
    seed: int = 0,
    centred: bool = False,
) -> Estimate:
    """Statistic of rows (q, ...) and its uncertainty under resampling of rows.

    statistic maps rows to one number; by default their mean. Percentile intervals, float64.
    centred: move the resampled values so that their mean is the value. For a distance between
    distributions, which repeated rows always inflate, so that a plain interval would miss it.

    >>> e = estimate(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> e.value, e.n
    (2.5, 4)
    """
    rows = np.asarray(rows, dtype=np.float64)
    compute = statistic if statistic is not None else _mean
    value = float(compute(rows))
    if len(rows) < 2:
        return Estimate(value, None, None, None, len(rows))
    with np.errstate(invalid="ignore"):  # a resample without a value is told of below
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
    shift = value - float(np.mean(result.bootstrap_distribution)) if centred else 0.0
    low, high = float(interval.low) + shift, float(interval.high) + shift
    numbers = (float(result.standard_error), low, high)
    if not np.isfinite(numbers).all():
        return Estimate(value, None, None, None, len(rows))
    return Estimate(value, *numbers, len(rows))


def _mean(rows: Array) -> float:
    return float(rows.mean())


def measured(
    metric: Metric,
    name: str,
    statistic: str,
    rows: Array,
    compute: Callable[[Array], float] | None = None,
    *,
    seed: int = 0,
    n: int | None = None,
    unit: str | None = None,
    centred: bool = False,
) -> Measurement:
    """A pooled measurement: `estimate` of rows (q, ...), labelled by the metric's declarations.

    n is what the value rests on, by default the number of rows; unit replaces the metric's.
    A value that is not a finite number is left out, with a message.
    """
    found = estimate(rows, compute, seed, centred)
    if not np.isfinite(found.value):
        return undefined(metric, name, statistic, f"the {statistic} is not a finite number", n or 0)
    return Measurement(
        name,
        statistic,
        found.value,
        found.n if n is None else n,
        metric.unit if unit is None else unit,
        metric.axis,
        metric.better,
        found.stderr,
        found.ci_low,
        found.ci_high,
    )


def undefined(
    metric: Metric, name: str, statistic: str, message: str, n: int = 0, query: str | None = None
) -> Measurement:
    """A measurement without a value, and why."""
    return Measurement(
        name,
        statistic,
        None,
        n,
        metric.unit,
        metric.axis,
        metric.better,
        query=query,
        message=message,
    )
