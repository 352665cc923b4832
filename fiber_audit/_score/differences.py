"""One audit less another of the same run: what both share, queries and noise, cancels.

Every headline that is a "mean" is told less that of the audit with the suite's first extractor,
prior or sampler in the place of its own; a condition may ask for others. The difference of two
numbers that know what each query moves is moved by both at once, which is a paired comparison, also
where a scale is shared (see `fiber_audit.measuring`). Of others the per-query numbers are paired,
or else the standard errors add in squares, which is cautious.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from .._draw.prepare import Prepared
from .._suite.condition import FILTERS, Condition
from .._suite.minus import Minus, statistic_minus
from .._suite.suite import Suite
from ..contracts import Statistic
from ..measuring import Estimate, difference_of, estimate
from ..measuring.statistic import Jackknifed
from .cells import Cell, Scored

SAME = 1e-6
"""Relative difference up to which a number is taken for the mean of its per-query numbers."""
Z = 1.959963984540054
"""Standard errors of a normal 95 % interval."""
Wanted = tuple[Minus, str, str | None]
"""(what is taken away, statistic, seen by)."""


def with_differences(prepared: Prepared, scored: Sequence[Scored]) -> list[Scored]:
    """The audits with the statistics of their differences behind those of each metric."""
    suite = prepared.plan.suite
    known = {
        (s.audit.extractor, s.audit.prior, s.audit.sampler): {c.metric: c for c in s.cells}
        for s in scored
    }

    def extended(cell: Cell) -> Cell:
        audit = cell.audit
        own, found = (audit.extractor, audit.prior, audit.sampler), list[Statistic]()
        metric = prepared.components.component("metric", suite.metrics[cell.metric]).name
        for wanted in dict.fromkeys([*_asked(suite, cell, metric), *_firsts(suite, cell)]):
            other = known.get(wanted[0].other(*own), {}).get(cell.metric)
            if other is not None and other is not cell:
                found += _difference(cell, other, *wanted)
        return replace(cell, statistics=(*cell.statistics, *found)) if found else cell

    return [replace(s, cells=[extended(cell) for cell in s.cells]) for s in scored]


def _firsts(suite: Suite, cell: Cell) -> Iterator[Wanted]:
    """Less the first of each kind; features of two extractors have no unit in common."""
    mean = next((s for s in cell.statistics if _is(s, "mean", None)), None)
    for kind in FILTERS if mean is not None else ():
        first = next(iter(getattr(suite, f"{kind}s")))
        if kind == "extractor" and mean is not None and "feature" in (mean.unit or ""):
            continue
        yield Minus(**{kind: first}), "mean", None


def _asked(suite: Suite, cell: Cell, metric: str) -> Iterator[Wanted]:
    for c in suite.conditions:
        if c.minus is not None and c.metric == metric and _matches(c, cell):
            yield c.minus, c.statistic or "mean", c.seen_by


def _matches(condition: Condition, cell: Cell) -> bool:
    wanted = {kind: getattr(condition, kind) for kind in FILTERS}
    return all(name in (None, getattr(cell.audit, kind)) for kind, name in wanted.items())


def _difference(
    cell: Cell, other: Cell, minus: Minus, statistic: str, seen_by: str | None
) -> Iterator[Statistic]:
    """One statistic, or none where either audit has no such number."""
    pair = [
        next((s for s in each.statistics if _is(s, statistic, seen_by)), None)
        for each in (cell, other)
    ]
    if not cell.statistics or None in pair:
        return
    first, second = pair
    assert first is not None
    assert second is not None
    name = statistic_minus(statistic, minus)
    if first.value is None or second.value is None:
        said = next(s.message for s in (first, second) if s.value is None)
        yield Statistic(None, name, 0, seen_by=seen_by, unit=first.unit, message=said)
        return
    found, how = subtracted(first, second, _per_query(cell, first), _per_query(other, second))
    yield Statistic(
        found.value,
        name,
        found.n,
        seen_by=seen_by,
        stderr=found.stderr,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        unit=first.unit,
        message=f"less {other.audit.name}, {how}",
    )


def subtracted(
    first: Statistic,
    second: Statistic,
    queries: Mapping[str, float],
    others: Mapping[str, float],
) -> tuple[Estimate, str]:
    """First less second, and how it was paired; queries and others are their per-query numbers."""
    assert first.value is not None
    assert second.value is not None
    value, n = first.value - second.value, min(first.n, second.n)
    one, two = _estimate(first), _estimate(second)
    if one.moved is not None and two.moved is not None and len(one.moved) == len(two.moved):
        return difference_of(one, two), "query by query"
    if queries and queries.keys() == others.keys():
        apart = estimate(np.array([queries[q] - others[q] for q in queries]))
        return replace(apart, value=value, n=n), "query by query"
    if first.stderr is None or second.stderr is None:
        return Estimate(value, None, None, None, n), "without an interval: one of them has none"
    stderr = math.hypot(first.stderr, second.stderr)
    ends = value - Z * stderr, value + Z * stderr
    return Estimate(value, stderr, *ends, n), "as if they shared nothing, which is cautious"


def _estimate(s: Statistic) -> Estimate:
    assert s.value is not None
    moved = s.moved if isinstance(s, Jackknifed) else None
    return Estimate(s.value, s.stderr, s.ci_low, s.ci_high, s.n, moved)


def _per_query(cell: Cell, pooled: Statistic) -> dict[str, float]:
    """The per-query numbers that a pooled one is the mean of; none where it is not."""
    found = {
        s.query: float(s.value)
        for s in cell.statistics
        if s.query is not None
        and s.value is not None
        and (s.name, s.seen_by) == (pooled.name, pooled.seen_by)
    }
    if not found or pooled.value is None:
        return {}
    mean = math.fsum(found.values()) / len(found)
    return found if math.isclose(mean, pooled.value, rel_tol=SAME, abs_tol=1e-12) else {}


def _is(s: Statistic, name: str, seen_by: str | None) -> bool:
    return s.query is None and s.name == name and s.seen_by == seen_by
