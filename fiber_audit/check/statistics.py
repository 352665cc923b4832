"""What is asked of a metric's numbers: one headline, distinct names, nothing that is not finite."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..contracts import Statistic


def headline(found: Sequence[Statistic]) -> str | None:
    """Tables show one pooled number, and conditions test it; a table of views has no such one."""
    pooled = [s for s in found if s.query is None]
    if not pooled:
        return "no statistic is pooled; return one with query = None and name = 'mean'."
    views = all(s.seen_by is not None for s in pooled)
    if len(pooled) > 1 and not views and not any(s.name == "mean" for s in pooled):
        return "several statistics are pooled and none is the 'mean'; name the headline so."
    return None


def unique(found: Sequence[Statistic]) -> str | None:
    """Name, view and query tell statistics apart."""
    keys = [(s.name, s.seen_by, s.query) for s in found]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    return f"{twice} occurs twice; give each number a name of its own." if twice else None


def finite(found: Sequence[Statistic]) -> str | None:
    """No file holds NaN."""
    for s in found:
        for name in ("value", "stderr", "ci_low", "ci_high"):
            number = getattr(s, name)
            if number is not None and not math.isfinite(number):
                return f"{s.name}: {name} is {number}; use None, and say why in message."
    return None


def empty(found: Sequence[Statistic]) -> str | None:
    """A number that is missing says why."""
    for s in found:
        if s.value is None and not s.message:
            return f"{s.name} has no value and no message; say why in message."
    return None


def interval(found: Sequence[Statistic]) -> str | None:
    """Both ends in order, or none."""
    for s in found:
        if (s.ci_low is None) != (s.ci_high is None):
            return f"{s.name} has one end of an interval; give both, or None."
        if s.ci_low is not None and s.ci_high is not None and s.ci_low > s.ci_high:
            return f"{s.name}: ci_low = {s.ci_low} is above ci_high = {s.ci_high}; swap them."
        if s.stderr is not None and s.stderr < 0:
            return f"{s.name}: stderr = {s.stderr} is negative."
    return None
