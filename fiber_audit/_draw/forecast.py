"""What a run would compute, why, and how long it would take: nothing is drawn or written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._suite.identity import difference
from .missing import held, to_do
from .plan import Audit, Drawn, references
from .prepare import Prepared
from .store import Store


@dataclass(frozen=True)
class Forecast:
    """One audit or reference: draws in all, how many are to be drawn, and why.

    observed: draws that metrics have still to look at. seconds: of the draws to come, from what
    a draw of that audit took before; None where none was timed. why: what is new or has changed,
    what keeps it from being drawn, and which metrics will have no value of it.
    """

    name: str
    draws: int
    to_draw: int
    to_observe: int
    seconds: float | None
    why: tuple[str, ...]


def forecast(prepared: Prepared, store: Store, share: tuple[int, int] = (0, 1)) -> list[Forecast]:
    """What `run` would do now, audit by audit, references first; last those that cannot be drawn.

    Raises:
        DataError: identity.json of the run directory is damaged.
    """
    plan = prepared.plan
    first, then = to_do(prepared, store, share)
    open_to = list(plan.looks)
    before = store.facts("identity.json")
    known: Mapping[str, Any] = before.get("draws", {})
    found = []
    count = len(plan.ids) * plan.per_query
    every: list[Drawn] = [*references(open_to), *open_to]
    for drawn in every:
        lacks = [lack for each, lack in (*first.lacks, *then.lacks) if each == drawn]
        queries = [q for lack in lacks for q in lack.queries]
        there = held(store, plan, drawn)
        stored = (there[plan.keys[q]][0].bit_count() for q in queries if plan.keys[q] in there)
        asked = len(queries) * plan.per_query
        needed, looked = asked - sum(stored), asked if isinstance(drawn, Audit) else 0
        why: list[str] = []
        if needed or looked:
            why = _why(prepared, drawn, known, before.get("queries", {}), needed)
        if isinstance(drawn, Audit):
            why += _unmeasured(prepared, drawn)
        took = _seconds(store, drawn)
        seconds = None if took is None else took * needed
        found.append(Forecast(drawn.name, count, needed, looked, seconds, tuple(why)))
    for audit, (status, message) in prepared.blocked.items():
        found.append(Forecast(audit.name, count, 0, 0, None, (f"{status}, {message}",)))
    return found


def _unmeasured(prepared: Prepared, audit: Audit) -> list[str]:
    """Metrics that will have no value of an audit, whatever is drawn, and why."""
    metrics = prepared.components.suite.metrics
    lost = {metrics[i].use: why for i, why in prepared.unmade.items()}
    for look, why in prepared.unseen[audit]:
        lost[look.extractor if look.metric is None else metrics[look.metric].use] = why
    return [f"{name} {status}, {message}" for name, (status, message) in lost.items()]


def _why(
    prepared: Prepared,
    drawn: Drawn,
    known: Mapping[str, Any],
    queries: Mapping[str, str],
    needed: int,
) -> list[str]:
    if drawn.name not in known:
        return ["new"]
    changed = difference(known[drawn.name], prepared.identity[drawn.name])
    now = dict(zip(prepared.plan.ids, prepared.plan.items, strict=True))
    others = [name for name, item in now.items() if name in queries and queries[name] != item]
    more = [name for name in now if name not in queries]
    if others:
        changed.append(f"{len(others)} queries changed, e.g. {others[0]!r}")
    if more:
        changed.append(f"{len(more)} queries are new")
    lost = "not on disk" if needed else "a metric is new or changed, or what it saw is not on disk"
    return changed or [lost]


def _seconds(store: Store, drawn: Drawn) -> float | None:
    """Seconds that a draw took, in the newest file of the audit, whatever its options were."""
    for path in sorted(store.files("units", drawn), key=lambda p: -p.stat().st_mtime):
        read = store.arrays(path, ("cost.seconds",))
        if read is not None and len(read["cost.seconds"]):
            return float(read["cost.seconds"].mean())
    return None
