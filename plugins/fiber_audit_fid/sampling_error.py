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

from fiber_audit import UsageError
from fiber_audit.measuring import CONFIDENCE

from .frechet import frechet_distance
from .moments import Array, matrix

GROUPS = 20
OfRows = Callable[[Array], float]
"""Row numbers (m,) int -> the statistic of these rows."""


@dataclass(frozen=True)
class SamplingError:
    """Standard error, 95 % interval, and the part of the value that falls like 1 / n."""

    stderr: float
    ci_low: float
    ci_high: float
    bias: float


def deletions(n: int, rng: np.random.Generator, groups: int = GROUPS) -> list[Array]:
    """Ascending row numbers, one group of about n / groups left out each; none below four rows.

    >>> [rows.tolist() for rows in deletions(4, np.random.default_rng(0))]
    [[0, 1, 3], [1, 2, 3], [0, 2, 3], [0, 1, 2]]
    """
    groups = min(groups, n)
    if n < 4 or groups < 2:
        return []
    rows = rng.permutation(n)
    return [np.sort(np.delete(rows, part)) for part in np.array_split(np.arange(n), groups)]


def spread(value: float, deleted: Any) -> SamplingError | None:
    """Error of a value from its values with one group left out each; None where there are none.

    The interval is Student's with groups - 1 degrees of freedom, about the value. The bias is
    (groups - 1) (mean of the deleted values - value), exact for a bias of c / n.
    """
    values = np.asarray(deleted, dtype=np.float64)
    groups = len(values)
    if not groups:
        return None
    apart = values - values.mean()
    stderr = float(np.sqrt((groups - 1) / groups * (apart @ apart)))
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, groups - 1)) * stderr
    bias = float((groups - 1) * (values.mean() - value))
    return SamplingError(stderr, value - reach, value + reach, bias)


def jackknife(
    statistic: OfRows, n: int, rng: np.random.Generator, groups: int = GROUPS
) -> SamplingError | None:
    """Delete-a-group jackknife of a statistic of n rows; None below four rows.

    >>> x = np.arange(40.0)
    >>> error = jackknife(lambda rows: x[rows].mean(), 40, np.random.default_rng(0), groups=40)
    >>> bool(np.isclose(error.stderr, x.std(ddof=1) / 40**0.5)), abs(error.bias) < 1e-9
    (True, True)
    """
    subsets = deletions(n, rng, groups)
    return spread(statistic(np.arange(n)), [statistic(rows) for rows in subsets])


@dataclass(frozen=True)
class Extrapolation:
    """A statistic at infinitely many samples: the intercept of values over 1 / sizes."""

    limit: float
    slope: float
    """The bias times n: the value at n rows is about limit + slope / n."""
    error: SamplingError | None
    """Of the limit, by jackknife; None if not asked for."""
    sizes: tuple[int, ...]
    values: tuple[float, ...]


def extrapolate(
    statistic: OfRows,
    n: int,
    rng: np.random.Generator,
    points: int = 8,
    repeats: int = 4,
    groups: int = 10,
) -> Extrapolation:
    """A statistic at infinite n: a line over 1 / n through subsets of a quarter of the rows to all.

    n: at least 16 rows. points: subset sizes. repeats: at most so many disjoint subsets of one
    size are averaged. groups: of the jackknife; 0 for no standard error.

    >>> found = extrapolate(lambda rows: 2 + 3 / len(rows), 100, np.random.default_rng(0))
    >>> round(found.limit, 9), round(found.slope, 9)
    (2.0, 3.0)
    """
    if n < 16:
        raise UsageError(f"n = {n}: an extrapolation in 1 / n needs at least 16 rows.")

    def line(rows: Array) -> tuple[Array, Array, float, float]:
        m = len(rows)
        sizes = np.unique((1 / np.linspace(4 / m, 1 / m, points)).round().astype(int))
        values = np.array(
            [np.mean([statistic(part) for part in _parts(rows, size, repeats)]) for size in sizes]
        )
        slope, limit = np.polyfit(1 / sizes, values, 1)
        return sizes, values, float(slope), float(limit)

    shuffled = rng.permutation(n)
    sizes, values, slope, limit = line(shuffled)
    error = jackknife(lambda kept: line(shuffled[kept])[3], n, rng, groups) if groups else None
    return Extrapolation(limit, slope, error, tuple(sizes.tolist()), tuple(values.tolist()))


def frechet_at_infinity(
    features_a: Any, features_b: Any, rng: np.random.Generator, groups: int = 10
) -> Extrapolation:
    """FD of infinitely many samples from two sets (n, d) of equally many rows.

    Raises UsageError below `rows_for_limit(d)` rows: with fewer, the bias does not fall like 1 / n
    yet, and the intercept would be far too high.
    """
    a, b = matrix(features_a, "features_a"), matrix(features_b, "features_b")
    if len(a) != len(b):
        raise UsageError(f"the sets have {len(a)} and {len(b)} rows: take as many of each.")
    if len(a) < (least := rows_for_limit(a.shape[1])):
        raise UsageError(
            f"the sets have {len(a)} rows of {a.shape[1]} features: the bias falls like 1 / n from "
            f"{least} rows on; add samples."
        )
    return extrapolate(lambda rows: frechet_distance(a[rows], b[rows]), len(a), rng, groups=groups)


def rows_for_limit(d: int) -> int:
    """The least number of rows for a Fréchet distance of d features at infinite n.

    From there on the intervals of `extrapolate` covered the truth, for flat spectra as for steep
    ones; at n = 2 d and a flat spectrum they never did.
    """
    return max(32, 3 * d)


def _parts(rows: Array, size: int, repeats: int) -> list[Array]:
    """Disjoint subsets of one size, at most `repeats` of them, each in ascending order."""
    count = min(repeats, len(rows) // size)
    return [np.sort(rows[k * size : (k + 1) * size]) for k in range(count)]
