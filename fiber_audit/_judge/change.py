"""How much a number changed between two runs, and how sure that is.

    b_i, v_i    the value of query i before and after; d = mean(v_i - b_i)

Paired queries carry their own spread through both runs, so it cancels: Student's t interval on
the differences. Elsewhere the two standard errors add in squares, which is cautious where the
runs share their noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..records import alike
from .interval import HOPELESS, Decision, Interval, decide

if TYPE_CHECKING:
    import pandas as pd

SAME = 1e-6
"""Relative difference up to which a headline is taken to be the mean of its per-query rows."""


@dataclass(frozen=True)
class Measured:
    """A pooled row of one run: its number, and its per-query values by query id where it has any.

    `queries` is empty unless the pooled value is their mean.
    """

    value: float
    stderr: float | None
    n: int
    queries: dict[str, float]


def measured(records: pd.DataFrame, row: pd.Series[Any]) -> Measured:
    """A pooled row with the per-query rows that belong to it."""
    beside = alike(records, row)
    beside = beside[beside["query"].notna() & beside["value"].notna()]
    queries = dict(zip(beside["query"], beside["value"].astype(float), strict=True))
    value = float(row["value"])
    mean = math.fsum(each / len(queries) for each in queries.values())
    missing = row.isna()
    stderr = None if missing["stderr"] else float(row["stderr"])
    n = 1 if missing["n"] else int(row["n"])
    kept = queries if math.isclose(mean, value, rel_tol=SAME, abs_tol=1e-12) else {}
    return Measured(value, stderr, n, kept)


@dataclass(frozen=True)
class Change:
    """new - base with its interval; None where too little was drawn to have one."""

    difference: float
    interval: Interval | None
    paired: bool
    spread: float | None = None
    """Standard deviation of the paired differences."""

    @property
    def finite(self) -> bool:
        """False where the numbers are so large that their difference is none."""
        seen = self.interval or Interval(0, 0, 0)
        return all(map(math.isfinite, (self.difference, seen.low, seen.high)))

    def decide(self, low: float, high: float) -> Decision:
        """Judge the difference against [low, high]; no change at all is always a pass."""
        if self.difference == 0:
            return Decision("pass")
        if self.interval is None:
            return Decision("inconclusive", needed=2)
        decision = decide(self.interval, low, high)
        if decision.status == "inconclusive" and self.spread is not None:
            inside = low <= self.difference <= high
            gaps = [abs(bound - self.difference) for bound in (low, high)]
            gap = min(gaps) if inside else gaps[0 if self.difference < low else 1]
            return Decision("inconclusive", pairs_needed(self.spread, gap, self.interval.n or 2))
        return decision


def change(base: Measured, new: Measured) -> Change:
    """The change from base to new: paired where both hold the same queries."""
    import numpy as np
    from scipy import stats

    from ..measuring.uncertainty import CONFIDENCE

    if base.queries and base.queries.keys() == new.queries.keys():
        differences = np.array([new.queries[q] - base.queries[q] for q in base.queries])
        n = len(differences)
        with np.errstate(all="ignore"):  # what overflows is not finite
            d = float(differences.mean())
            spread = float(differences.std(ddof=1)) if n > 1 else 0.0
        if n < 2:
            return Change(d, None, paired=True)
        half = student(n) * spread / math.sqrt(n)
        return Change(d, Interval(d, d - half, d + half, n), paired=True, spread=spread)
    d, n = new.value - base.value, min(base.n, new.n)
    if base.stderr is None or new.stderr is None:
        return Change(d, None if n < 2 else Interval(d, d, d, n), paired=False)
    half = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * math.hypot(base.stderr, new.stderr)
    return Change(d, Interval(d, d - half, d + half, n), paired=False)


def student(n: int) -> float:
    """Half-width of the t interval of n values, in standard errors.

    >>> round(student(16), 3)
    2.131
    """
    from scipy import stats

    from ..measuring.uncertainty import CONFIDENCE

    return float(stats.t.ppf((1 + CONFIDENCE) / 2, df=n - 1))


def pairs_needed(spread: float, gap: float, n: int) -> int | None:
    """The smallest number of pairs, above n, whose t interval is narrower than the gap.

    None where no number of pairs that anyone could draw is.

    >>> pairs_needed(spread=1.0, gap=0.5, n=8)
    18
    """
    if gap <= 0 or spread / gap > HOPELESS:
        return None
    found = max(n + 1, math.ceil((1.96 * spread / gap) ** 2))
    while student(found) * spread / math.sqrt(found) > gap:
        found += 1
    return found
