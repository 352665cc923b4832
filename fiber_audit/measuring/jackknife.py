"""How sure is a number? By how much it moves when queries are left out, some at a time.

    theta       a number computed from q queries
    theta_(g)   the same without the queries of group g; moved_g = theta_(g) - theta
    stderr^2    (G - 1) / G  sum_g (moved_g - mean moved)^2

Queries are the units that were sampled independently, so a query is left out of *everything* that
it entered: of its draws, of the pairs that it was in, of any scale that all share. Two numbers of
the same queries move together, and what they share cancels in their difference or ratio, which is
why an estimate keeps its moves (Quenouille 1956; Tukey 1958; Efron & Stein, "The jackknife estimate
of variance", 1981). Intervals are Student's with G - 1 degrees of freedom, corrected for the
skewness gamma of the moves, since losses have long tails and few queries do not average them away:

    g(T) = T + gamma T^2 / (3 sqrt G) + gamma^2 T^3 / (27 G) + gamma / (6 sqrt G)

is nearly Student's where T = (estimate - truth) / stderr is not (Hall, "On the removal of skewness
by transformation", JRSS B 1992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

CONFIDENCE = 0.95
GROUPS = 256
"""Above so many queries several are left out at a time."""
FARTHEST = 300.0
"""Natural logarithms that an interval may reach from its value, so that its ends are floats."""
Array = NDArray[np.float64]
Scale = Literal["linear", "positive", "share"]
"""What a number can be: anything; nothing below 0, as a distance; or a share of zeros and ones
(then the interval is Wilson's, with as many trials as the standard error tells)."""


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and 95 % interval (None where nothing can be left out).

    moved: (groups,) what leaving out each group of queries adds to the value; NaN for a group that
    holds nothing.
    """

    value: float
    stderr: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    moved: Array | None = field(default=None, compare=False, repr=False)


def groups_of(q: int, seed: int = 0) -> NDArray[np.int64]:
    """The group of each query (q,): one of its own, or where there are many one of GROUPS.

    It depends on nothing else, so that numbers of one run are moved by the same queries.
    """
    if q <= GROUPS:
        return np.arange(q)
    return np.asarray(np.random.default_rng(seed).permutation(q) % GROUPS, dtype=np.int64)


def moved_by(value: float, moved: Array | None, n: int, scale: Scale = "linear") -> Estimate:
    """A value and its moves -> the estimate. Without two moves there is no uncertainty.

    >>> found = moved_by(2.5, np.array([0.5, 1 / 6, -1 / 6, -0.5]), 4)  # the mean of 1, 2, 3, 4
    >>> round(found.stderr, 4), round(found.ci_low, 4), round(found.ci_high, 4)
    (0.6455, 0.4457, 4.5543)
    """
    alone = Estimate(value, None, None, None, n)
    if moved is None or not math.isfinite(value):
        return alone
    known = moved[~np.isnan(moved)]
    if len(known) < 2 or not np.isfinite(known).all():
        return alone
    groups, stderr = len(known), _stderr(known)
    t = student(groups)
    if scale == "share":
        low, high = _wilson(value, stderr, groups, t)
    else:
        most, least = (_untransformed(end, _skewness(known), groups) for end in (t, -t))
        low, high = value - most * stderr, value - least * stderr
        if scale == "positive" and low <= 0 < value:
            low = value * math.exp(-min(t * stderr / value, FARTHEST))
    if not np.isfinite([stderr, low, high]).all():
        return alone
    return Estimate(value, stderr, low, high, n, moved)


def student(groups: int) -> float:
    """Standard errors of Student's 95 % interval with groups - 1 degrees of freedom.

    >>> round(student(16), 3)
    2.131
    """
    return float(special.stdtrit(groups - 1, (1 + CONFIDENCE) / 2))


def ratio_of(above: Estimate, below: Estimate) -> Estimate:
    """One estimate over another of the same queries; neither can be negative."""
    value = _divided(above.value, below.value)
    moved = None
    if above.moved is not None and below.moved is not None:
        known = ~(np.isnan(above.moved) & np.isnan(below.moved))
        with np.errstate(all="ignore"):  # what is not finite leaves no interval
            without = (above.value + np.nan_to_num(above.moved)) / (
                below.value + np.nan_to_num(below.moved)
            )
        moved = np.where(known, np.nan_to_num(without - value, nan=math.inf), math.nan)
    return moved_by(value, moved, above.n, "positive")


def difference_of(first: Estimate, second: Estimate) -> Estimate:
    """One estimate less another of the same queries: what they share cancels."""
    moved = None
    if first.moved is not None and second.moved is not None:
        known = ~(np.isnan(first.moved) & np.isnan(second.moved))
        apart = np.nan_to_num(first.moved) - np.nan_to_num(second.moved)
        moved = np.where(known, apart, math.nan)
    return moved_by(first.value - second.value, moved, min(first.n, second.n))


def _stderr(moved: Array) -> float:
    apart = moved - moved.mean()
    return float(np.sqrt((len(moved) - 1) / len(moved) * (apart @ apart)))


def _skewness(moved: Array) -> float:
    """Of what queries contribute, which is what their absence takes away."""
    n, apart = len(moved), moved.mean() - moved
    spread = float(np.mean(apart**2))
    if n < 3 or not spread > 0:
        return 0.0
    return float(np.mean(apart**3)) / spread**1.5 * math.sqrt(n * (n - 1)) / (n - 2)


def _untransformed(y: float, gamma: float, n: int) -> float:
    """The T of the module's last equation where g(T) = y; g rises everywhere.

    >>> round(_untransformed(2.0, 0.0, 16), 3), round(_untransformed(-2.0, 1.0, 16), 3)
    (2.0, -2.542)
    """
    if abs(gamma) < 1e-6:
        return y
    root = math.sqrt(n)
    inner = 1 + gamma / root * (y - gamma / (6 * root))
    return 3 * root / gamma * (float(np.cbrt(inner)) - 1)


def _wilson(p: float, stderr: float, groups: int, t: float) -> tuple[float, float]:
    """Trials as many as would give a share this standard error; the groups where it has none."""
    spread = p * (1 - p)
    n = spread / stderr**2 if stderr > 0 and spread > 0 else groups
    centre, half = p + t * t / (2 * n), t * math.sqrt(max(spread, 0.0) / n + (t / (2 * n)) ** 2)
    whole = 1 + t * t / n
    return max(0.0, (centre - half) / whole), min(1.0, (centre + half) / whole)


def _divided(above: float, below: float) -> float:
    if below == 0 or math.isnan(below):
        return math.nan
    return above / below
