"""Draw what is missing of a run: references first, since metrics compare with them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..contracts import Executor
from ..errors import DiskError, FiberAuditError, PluginError, reason_of
from .observed import missing
from .plan import Audit, Drawn, Piece, references
from .prepare import Prepared
from .rows import keeps
from .store import Store
from .work import Outcome, Work

Progress = Callable[[int, int, str], None]
"""Called with (draws done, draws in all, what is going on); 0 in all means unknown."""


@dataclass
class Drawing:
    """What came of the pieces. failed: name of an audit or reference -> (status, message).

    blind: (audit's name, owner of a look) -> (status, message) of what could not be observed.
    """

    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    blind: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Remember what went wrong."""
        if outcome.status != "ok":
            self.failed.setdefault(outcome.drawn, (outcome.status, outcome.message))
        for owner, why in outcome.blind.items():
            self.blind.setdefault((outcome.drawn, owner), why)

    def trouble(self, audit: Audit) -> tuple[str, str] | None:
        """Why an audit is not finished, if something failed."""
        return self.failed.get(audit.name) or self.failed.get(audit.reference.name)


def to_do(
    prepared: Prepared, store: Store, share: tuple[int, int] = (0, 1), only: Audit | None = None
) -> tuple[list[Piece], list[Piece]]:
    """The pieces that are missing: (of references, of audits). only: of that audit alone."""
    plan, mine = prepared.plan, prepared.plan.chunks(*share)
    open_to = [audit for audit in plan.looks if only in (None, audit)]
    lacks = {audit: missing(store, plan, audit, mine) for audit in open_to}
    first: list[Piece] = []
    kept = plan.suite.precision(tuple(prepared.components.dataset.data_shape))
    for reference in references(open_to):
        if not keeps(kept, reference):
            continue  # they are drawn where they are needed
        stored = _files(store, reference)
        needed = {
            q
            for audit, found in lacks.items()
            for lack in found
            for q in lack.queries
            if audit.reference == reference
        }
        for chunk in mine:
            units = {q: plan.units(reference, [q]) for q in chunk if q in needed}
            queries = tuple(q for q, ids in units.items() if any(i not in stored for i in ids))
            if queries:
                first.append(Piece(reference, queries, plan.units(reference, queries)))
    then = [plan.piece(audit, lack) for audit, found in lacks.items() for lack in found]
    return first, then


def draw(
    pieces: tuple[Sequence[Piece], Sequence[Piece]],
    work: Work,
    executor: Executor,
    store: Store,
    say: Progress,
) -> Drawing:
    """Compute all pieces; the executor is open. What went wrong is logged and returned."""
    total, done, drawing = sum(len(p.units) for some in pieces for p in some), 0, Drawing()
    say(0, total, "drawing")
    for some in pieces:
        located = _located(store, some)
        for piece, result in _mapped(executor, work, located):
            outcome = result if isinstance(result, Outcome) else _lost(piece, result)
            drawing.add(outcome)
            if outcome.status != "ok":
                store.log(outcome.status, {"audit": outcome.drawn, "message": outcome.message,
                                           "trace": outcome.trace})  # fmt: skip
            done += len(piece.units)
            say(done, total, outcome.drawn)
    return drawing


def _mapped(
    executor: Executor, work: Work, pieces: Sequence[Piece]
) -> Iterator[tuple[Piece, Outcome | Exception]]:
    """What an executor makes of the pieces; one that fails itself is a plugin that fails."""
    try:
        if pieces:
            yield from executor.map(work, pieces)
    except (FiberAuditError, GeneratorExit):
        raise
    except (Exception, SystemExit) as error:  # plugins may raise anything
        raise PluginError(f"executor: {type(error).__name__}: {error}.") from error


def _lost(piece: Piece, error: Exception) -> Outcome:
    if isinstance(error, DiskError):  # a disk that fails one piece fails the others
        raise error
    trace = "".join(traceback.format_exception(error))  # with that of the worker
    return Outcome(piece.drawn.name, 0, "error", reason_of(error), trace)


def _located(store: Store, pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces with the files that hold some of their units, or of their reference's, already."""
    drawn = {p.drawn for p in pieces} | {
        p.drawn.reference for p in pieces if isinstance(p.drawn, Audit)
    }
    files = {each: _files(store, each) for each in drawn}

    def located(piece: Piece) -> Piece:
        known = dict(files[piece.drawn])
        if isinstance(piece.drawn, Audit):
            known |= files[piece.drawn.reference]
        names = dict.fromkeys(known[u] for u in (*piece.units, *piece.unguided) if u in known)
        return replace(piece, found=tuple(names))

    return [located(piece) for piece in pieces]


def _files(store: Store, drawn: Drawn) -> dict[str, str]:
    """Unit id -> the file of units/ that holds it."""
    return {i: path.name for path, ids, _ in store.index("units", drawn, "id") for i in ids}
