"""What a metric returned, taken only if it can become rows of the table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real

from ..contracts import Metric, Statistic
from ..errors import PluginError

NUMBERS = ("value", "stderr", "ci_low", "ci_high")
TEXTS = ("name", "query", "seen_by", "unit", "message")
OPTIONAL = {"query", "seen_by", "unit"}
MOST = 2**63


def checked(metric: Metric, found: Iterable[Statistic]) -> tuple[Statistic, ...]:
    """The statistics, if all are what the contract says.

    Raises:
        PluginError: the metric has no axis, unit or direction, or one is no Statistic or holds
            what is no number, text or whole number.
        ArithmeticError: a number is not finite.
    """
    for name in ("axis", "unit", "better"):
        if not isinstance(getattr(metric, name, None), str):
            raise PluginError(f"its class has no text {name!r}; give it one.")
    statistics = tuple(found)
    for each in statistics:
        if not isinstance(each, Statistic):
            raise PluginError(f"summarise() returned {each!r}, which is no Statistic.")
        _check(each)
    return statistics


def _check(s: Statistic) -> None:
    for name in TEXTS:
        value = getattr(s, name)
        if not isinstance(value, str) and not (value is None and name in OPTIONAL):
            raise PluginError(f"statistic {s.name!r}: {name} = {value!r} is no text.")
    for name in NUMBERS:
        value = getattr(s, name)
        if value is None:
            continue
        if not isinstance(value, Real):
            raise PluginError(f"statistic {s.name!r}: {name} = {value!r} is no number.")
        if not math.isfinite(value):
            what = "" if name == "value" else f": its {name}"
            raise ArithmeticError(f"statistic {s.name!r}{what} is not finite")
    if not (isinstance(s.n, Real) and 0 <= s.n < MOST and s.n == int(s.n)):
        raise PluginError(f"statistic {s.name!r}: n = {s.n!r} is no whole number.")
