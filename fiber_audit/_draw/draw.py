"""Draw what is missing of a run: references first, since metrics compare with them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ..contracts import Executor
from ..errors import DiskError, FiberAuditError
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
    prepared: Prepared, store: Store, share: tuple[int, int] = (0, 1)
) -> tuple[list[Piece], list[Piece]]:
    """The pieces that are missing: (of references, of audits)."""
    plan, mine = prepared.plan, prepared.plan.chunks(*share)
    chunks = {audit: missing(store, plan, audit, mine) for audit in plan.looks}
    first: list[Piece] = []
    for reference in references(list(plan.looks)):
        needed = {c for audit, cs in chunks.items() if audit.reference == reference for c in cs}
        first += [Piece(reference, chunk, plan.units(reference, chunk)) for chunk in sorted(needed)]
    kept = plan.suite.precision(tuple(prepared.components.dataset.data_shape))
    first = [p for p in first if keeps(kept, p.drawn)]  # the others are drawn where they are needed
    files = {reference: _files(store, reference) for reference in {p.drawn for p in first}}
    first = [p for p in first if any(unit not in files[p.drawn] for unit in p.units)]
    then = [piece for audit, cs in chunks.items() for piece in plan.pieces(audit, cs)]
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
        for piece, result in executor.map(work, located) if located else ():
            outcome = result if isinstance(result, Outcome) else _lost(piece, result)
            drawing.add(outcome)
            if outcome.status != "ok":
                store.log(outcome.status, {"audit": outcome.drawn, "message": outcome.message,
                                           "trace": outcome.trace})  # fmt: skip
            done += len(piece.units)
            say(done, total, outcome.drawn)
    return drawing


def _lost(piece: Piece, error: Exception) -> Outcome:
    if isinstance(error, DiskError):  # a disk that fails one piece fails the others
        raise error
    told = str(error) if isinstance(error, FiberAuditError) else f"{type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error))  # with that of the worker
    return Outcome(piece.drawn.name, 0, "error", told, trace)


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
