"""Two runs on one page: what got worse, and the draws of both from the same noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._judge.interval import WORST_FIRST, worst
from .._score.gallery import FOLDER, Gallery, load_all
from ..files import write_atomically
from ..records import printable
from .anchors import anchor
from .answer import MARKS
from .images import side_for
from .numbers import MINUS, MISSING, number
from .pictures import MOST_DRAWS, MOST_PICTURES, PIXELS, ShownDraw, shown, shown_draw
from .template import rendered

if TYPE_CHECKING:
    from .._judge.compare import Comparison

WORDS = {
    "pass": "Nothing got worse",
    "warn": "Warning",
    "fail": "Worse",
    "inconclusive": "Inconclusive",
    "error": "Error",
    "skipped": "Nothing to compare",
}
MOST_QUERIES = 16


@dataclass(frozen=True)
class ChangeRow:
    """One comparison in the words of the page."""

    status: str
    audit: str
    metric: str
    base: str
    new: str
    change: str
    interval: str
    note: str


@dataclass(frozen=True)
class QueryPair:
    """One query with the draws of both runs, by draw number: one below the other is one noise."""

    id: str
    query: ShownDraw
    base: tuple[ShownDraw, ...]
    new: tuple[ShownDraw, ...]
    rise: str


@dataclass(frozen=True)
class AuditPair:
    """One audit in both runs; note says what is not shown, and why."""

    audit: str
    anchor: str
    status: str
    tabular: bool
    note: str
    queries: tuple[QueryPair, ...]


def write_page(base: Path, new: Path, found: Sequence[Comparison], to: Path) -> Path:
    """See `fiber_audit._report.write_comparison`."""
    changes = sorted(found, key=lambda c: (WORST_FIRST.index(c.status), -abs(c.change or 0)))
    status = worst([c.status for c in changes])
    counts = {s: sum(c.status == s for c in changes) for s in WORST_FIRST}
    text = rendered(
        "compare.html.j2",
        base=str(base),
        new=str(new),
        status=status,
        word=WORDS[status],
        marks=MARKS,
        counts={s: n for s, n in counts.items() if n},
        changes=[_change(c) for c in changes],
        audits=_pairs(_galleries(base), _galleries(new), changes),
    )
    return write_atomically(to, text)


def _change(c: Comparison) -> ChangeRow:
    interval = f"{number(c.low)} to {number(c.high)}" if c.low is not None else ""
    moved = MISSING if c.change is None else f"{c.change:+.1%}".replace("-", MINUS)
    return ChangeRow(
        status=c.status,
        audit=c.audit,
        metric=f"{c.metric} ({c.statistic})" + (f", seen by {c.seen_by}" if c.seen_by else ""),
        base=number(c.base),
        new=number(c.new),
        change=moved,
        interval=interval,
        note=_note(c),
    )


def _note(c: Comparison) -> str:
    """What the message says beyond the cells of its row."""
    view = f"{c.statistic}, seen by {c.seen_by}" if c.seen_by else c.statistic
    said = c.message.removeprefix(f"{c.metric} ({view}) of {c.audit}").lstrip(": ")
    if c.status == "inconclusive":
        return said.partition("; ")[2]
    return said if c.status in ("error", "skipped") else ""


def _galleries(run: Path) -> dict[str, Gallery]:
    """None of a records.csv, which has no pictures."""
    return {printable(g.audit): g for g in load_all(run / FOLDER)} if run.is_dir() else {}


def _pairs(
    base: dict[str, Gallery], new: dict[str, Gallery], changes: Sequence[Comparison]
) -> list[AuditPair]:
    """Audits in the order of the changes, so that the worst is first."""
    audits = [a for a in dict.fromkeys(c.audit for c in changes) if a in base and a in new]
    each = sum(1 + 2 * min(base[a].fiber_loss.shape[1], MOST_DRAWS) for a in audits)
    most = int(np.clip(MOST_PICTURES // max(each, 1), 1, MOST_QUERIES))
    side = side_for(each * most, PIXELS)
    status = {a: worst([c.status for c in changes if c.audit == a]) for a in audits}
    return [_pair(a, status[a], base[a], new[a], most, side) for a in audits]


def _pair(audit: str, status: str, base: Gallery, new: Gallery, most: int, side: int) -> AuditPair:
    tabular = base.queries.ndim != 4
    if base.queries.shape[1:] != new.queries.shape[1:]:
        return AuditPair(audit, anchor(audit), status, tabular, "Its inputs differ in shape.", ())
    places = {name: i for i, name in enumerate(new.query_ids)}
    shared = [(i, places[name]) for i, name in enumerate(base.query_ids) if name in places]
    rises = {pair: _rise(base, new, *pair) for pair in shared}
    ranked = sorted(shared, key=lambda pair: -rises[pair])
    same = [pair for pair in ranked if np.array_equal(base.queries[pair[0]], new.queries[pair[1]])]
    notes = []
    if len(same) < len(ranked):
        notes.append(f"{len(ranked) - len(same)} queries of one name are other inputs.")
    if len(same) > most:
        notes.append(f"{len(same) - most} of {len(same)} shared queries are not shown.")
    if not same:
        notes.append("The runs share no query that both have pictures of.")
    return AuditPair(
        audit=audit,
        anchor=anchor(audit),
        status=status,
        tabular=tabular,
        note=" ".join(notes),
        queries=tuple(_query(base, new, *p, rises[p], side) for p in same[:most]),
    )


def _query(base: Gallery, new: Gallery, i: int, j: int, rise: float, side: int) -> QueryPair:
    k = min(base.fiber_loss.shape[1], new.fiber_loss.shape[1], MOST_DRAWS)
    name = base.query_ids[i]
    told = f"{rise:+.3g}".replace("-", MINUS) if np.isfinite(rise) else MISSING
    return QueryPair(
        id=name,
        query=shown(base.queries[i], side, alt=f"query {name}"),
        base=tuple(shown_draw(base, i, n, side) for n in range(k)),
        new=tuple(shown_draw(new, j, n, side) for n in range(k)),
        rise=told,
    )


def _rise(base: Gallery, new: Gallery, i: int, j: int) -> float:
    """How much farther the draws of one query are in the new run; most where all are lost."""
    before, after = base.fiber_loss[i], new.fiber_loss[j]
    if np.isnan(before).all() or np.isnan(after).all():
        return float("inf")
    return float(np.nanmean(after) - np.nanmean(before))
