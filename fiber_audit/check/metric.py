"""Does a metric keep its contract? Tried on a tiny audit, unless another is given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..context import Context
from ..contracts import Measurement, Metric
from .audits import image_audit, table_audit
from .violation import Checks, Violation, told, violations


@dataclass(frozen=True)
class Subject:
    """A metric, an audit, and what it measured there."""

    metric: Metric
    context: Context
    found: Sequence[Measurement]


def check_metric(metric: Metric, context: Context | None = None) -> list[Violation]:
    """What is wrong with a metric; an empty list where nothing is.

    context: the audit to measure; by default one of tables, or else one of images.
    """
    errors = []
    for audit in [context] if context else [table_audit(), image_audit()]:
        try:
            found = metric.measure(audit)
        except Exception as error:  # whatever it is, the rest cannot be tried
            errors.append(told(error))
        else:
            return violations(CHECKS, Subject(metric, audit, found))
    return [Violation("call", f"measure() raised {' and for images '.join(errors)}")]


def _headline(s: Subject) -> str | None:
    pooled = [m for m in s.found if m.query is None]
    if not pooled:
        return "no measurement is pooled; return one with query = None and statistic = 'mean'."
    if len(pooled) > 1 and not any(m.statistic == "mean" for m in pooled):
        return "several measurements are pooled and none is the 'mean'; name the headline so."
    return None


def _unique(s: Subject) -> str | None:
    keys = [(m.metric, m.statistic, m.query) for m in s.found]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    return f"{twice} occurs twice; give each number a statistic of its own." if twice else None


def _finite(s: Subject) -> str | None:
    for m in s.found:
        for name in ("value", "stderr", "ci_low", "ci_high"):
            number = getattr(m, name)
            if number is not None and not math.isfinite(number):
                return f"{m.statistic}: {name} is {number}; use None, and say why in message."
    return None


def _empty(s: Subject) -> str | None:
    for m in s.found:
        if m.value is None and not m.message:
            return f"{m.statistic} has no value and no message; say why in message."
    return None


def _interval(s: Subject) -> str | None:
    for m in s.found:
        if (m.ci_low is None) != (m.ci_high is None):
            return f"{m.statistic} has one end of an interval; give both, or None."
        if m.ci_low is not None and m.ci_high is not None and m.ci_low > m.ci_high:
            return f"{m.statistic}: ci_low = {m.ci_low} is above ci_high = {m.ci_high}; swap them."
        if m.stderr is not None and m.stderr < 0:
            return f"{m.statistic}: stderr = {m.stderr} is negative."
    return None


def _queries(s: Subject) -> str | None:
    unknown = {m.query for m in s.found if m.query is not None} - set(s.context.queries.ids)
    return f"query {min(unknown)!r} is not one of the queries' ids." if unknown else None


def _deterministic(s: Subject) -> str | None:
    if list(s.metric.measure(s.context)) != list(s.found):
        return "two calls differ; draw random numbers from context.generator(purpose)."
    return None


CHECKS: Checks[Subject] = {
    "headline": _headline,
    "unique": _unique,
    "finite": _finite,
    "empty": _empty,
    "interval": _interval,
    "queries": _queries,
    "deterministic": _deterministic,
}
