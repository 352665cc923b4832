"""How far to believe a distance of two samples: its standard error and its bias in n.

A Fréchet distance is nonlinear in its samples. Resampling with replacement inflates it (repeated
rows look like fewer rows), so its error comes from the delete-a-group jackknife, whose sets hold
no row twice. Its bias falls like 1 / n, so the distance of infinitely many samples is the
intercept of a line over 1 / n (Chong & Forsyth, "Effectively unbiased FID and Inception Score",
CVPR 2020).

A statistic is a function of row numbers: it takes the same rows from both sets. Where the rows of
the two sets belong together (a query and its draw) they stay together; where they do not, the
pairing is arbitrary and does no harm, for pairs of independent rows are independent too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from fiber_audit.errors import UsageError

from .frechet import frechet_distance
from .moments import Array, matrix

CONFIDENCE = 0.95
Statistic = Callable[[Array], float]
"""Row numbers (m,) int -> the statistic of these rows."""


@dataclass(frozen=True)
class SamplingError:
    """Standard error, 95 % interval, and the part of the value that falls like 1 / n."""

    stderr: float
    ci_low: float
    ci_high: float
    bias: float


def jackknife(
    statistic: Statistic, n: int, rng: np.random.Generator, groups: int = 20
) -> SamplingError | None:
    """Delete-a-group jackknife of a statistic of n rows; None below four rows.

    The interval is Student's with groups - 1 degrees of freedom, about the value. The bias is
    (groups - 1) (mean of the deleted values - value), exact for a bias of c / n.

    >>> x = np.arange(40.0)
    >>> error = jackknife(lambda rows: x[rows].mean(), 40, np.random.default_rng(0), groups=40)
    >>> bool(np.isclose(error.stderr, x.std(ddof=1) / 40**0.5)), abs(error.bias) < 1e-9
    (True, True)
    """
    groups = min(groups, n)
    if n < 4 or groups < 2:
        return None
    rows = rng.permutation(n)
    value = statistic(np.sort(rows))
    deleted = np.array(
        [statistic(np.sort(np.delete(rows, part))) for part in np.array_split(np.arange(n), groups)]
    )
    spread = deleted - deleted.mean()
    stderr = float(np.sqrt((groups - 1) / groups * (spread @ spread)))
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, groups - 1)) * stderr
    bias = float((groups - 1) * (deleted.mean() - value))
    return SamplingError(stderr, value - reach, value + reach, bias)


@dataclass(frozen=True)
class Extrapolation:
    """A distance at infinitely many samples: the intercept of values over 1 / sizes."""

    limit: float
    slope: float
    """The bias times n: the value at n rows is about limit + slope / n."""
    stderr: float | None
    """Standard error of the limit, by jackknife; None if not asked for."""
    sizes: tuple[int, ...]
    values: tuple[float, ...]


def extrapolate(
    features_a: Any,
    features_b: Any,
    rng: np.random.Generator,
    points: int = 8,
    repeats: int = 4,
    groups: int = 10,
) -> Extrapolation:
    """FD at infinite n: a line over 1 / n through subsets of a quarter of the rows to all.

    Sets (n, d) with as many rows each, at least 16. points: subset sizes. repeats: at most so many
    disjoint subsets of one size are averaged. groups: of the jackknife; 0 for no standard error.
    """
    a, b = matrix(features_a, "features_a"), matrix(features_b, "features_b")
    if len(a) != len(b):
        raise UsageError(f"the sets have {len(a)} and {len(b)} rows: take as many of each.")
    if len(a) < 16:
        raise UsageError(f"n = {len(a)}: an extrapolation in 1 / n needs at least 16 rows.")

    def curve(rows: Array) -> tuple[Array, Array]:
        n = len(rows)
        sizes = np.unique((1 / np.linspace(4 / n, 1 / n, points)).round().astype(int))
        values = [
            np.mean([frechet_distance(a[part], b[part]) for part in _parts(rows, m, repeats)])
            for m in sizes
        ]
        return sizes, np.array(values)

    def line(rows: Array) -> tuple[float, float]:
        sizes, values = curve(rows)
        slope, limit = np.polyfit(1 / sizes, values, 1)
        return float(limit), float(slope)

    shuffled = rng.permutation(len(a))
    sizes, values = curve(shuffled)
    limit, slope = line(shuffled)
    error = None
    if groups:
        error = jackknife(lambda kept: line(shuffled[kept])[0], len(a), rng, groups)
    return Extrapolation(
        limit,
        slope,
        error.stderr if error else None,
        tuple(sizes.tolist()),
        tuple(values.tolist()),
    )


def _parts(rows: Array, size: int, repeats: int) -> list[Array]:
    """Disjoint subsets of one size, at most `repeats` of them."""
    count = min(repeats, len(rows) // size)
    return [rows[k * size : (k + 1) * size] for k in range(count)]
