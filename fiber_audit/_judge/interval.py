"""An interval against bounds: pass, fail, or inconclusive with the n that would decide it.

    [low, high]          the values that hold; either end may be infinite
    [ci_low, ci_high]    where the true value is believed to be

An interval wholly inside passes, wholly outside fails; one that holds a bound decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

Status = Literal["pass", "warn", "fail", "inconclusive", "error", "skipped"]
FailOn = Literal["fail", "warn", "inconclusive"]
WORST_FIRST: tuple[Status, ...] = ("error", "fail", "warn", "inconclusive", "skipped", "pass")

HOPELESS = 1e6
"""An interval that many times too wide is not decided by more of the same."""


@dataclass(frozen=True)
class Interval:
    """A value, the interval around it, and the n that both rest on (None: unknown)."""

    value: float
    low: float
    high: float
    n: int | None = None


@dataclass(frozen=True)
class Decision:
    """A status, and where it is inconclusive the n that would decide it (None: no n would)."""

    status: Literal["pass", "fail", "inconclusive"]
    needed: int | None = None


def decide(seen: Interval, low: float = -math.inf, high: float = math.inf) -> Decision:
    """Judge what was seen against [low, high].

    The needed n assumes that the interval shrinks as 1 / sqrt(n) and that the value stays.

    >>> decide(Interval(0.09, 0.08, 0.12, n=16), high=0.10)
    Decision(status='inconclusive', needed=144)
    >>> decide(Interval(0.05, 0.04, 0.06, n=16), high=0.10).status
    'pass'
    """
    if low <= seen.low and seen.high <= high:
        return Decision("pass")
    if seen.high < low or seen.low > high:
        return Decision("fail")
    return Decision("inconclusive", needed(seen, low, high))


def needed(seen: Interval, low: float, high: float) -> int | None:
    """The n at which the interval no longer holds a bound; None where none is known."""
    if seen.n is None:
        return None
    below, above = seen.value - seen.low, seen.high - seen.value
    if seen.value > high:
        ratios = [_ratio(below, seen.value - high)]
    elif seen.value < low:
        ratios = [_ratio(above, low - seen.value)]
    else:
        ratios = [_ratio(above, high - seen.value), _ratio(below, seen.value - low)]
    ratio = max(ratios)
    n = seen.n * ratio * ratio if ratio < HOPELESS else math.inf
    return max(math.ceil(n), seen.n + 1) if math.isfinite(n) else None


def _ratio(half_width: float, gap: float) -> float:
    return half_width / gap if gap > 0 else math.inf


class Judged(Protocol):
    """Anything with a status: a verdict on a condition, or a row of a comparison."""

    @property
    def status(self) -> Status:
        """How it was judged."""
        ...


def worst(statuses: Iterable[Status]) -> Status:
    """The status that a reader should see first.

    >>> worst(["pass", "inconclusive", "fail"])
    'fail'
    """
    return min(statuses, key=WORST_FIRST.index)


def exit_code(judged: Iterable[Judged], fail_on: Collection[FailOn] = frozenset()) -> int:
    """0 all hold, 1 one failed, 3 one could not be judged, 5 all were skipped.

    fail_on: further statuses that count as failed; "fail" always does.

    >>> exit_code([])
    0
    """
    statuses = {each.status for each in judged}
    if statuses == {"skipped"}:
        return 5
    if "error" in statuses:
        return 3
    return 1 if statuses & {"fail", *fail_on} else 0
