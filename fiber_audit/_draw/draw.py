"""Draw what is missing of a run: references first, since metrics compare with them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ..contracts import Executor
from ..errors import DiskError, FiberAuditError, PluginError, reason_of
from .missing import Pieces
from .plan import Audit, Piece
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


def draw(
    pieces: tuple[Pieces, Pieces],
    work: Work,
    executor: Executor,
    store: Store,
    say: Progress,
) -> Drawing:
    """Compute all pieces; the executor is open. What went wrong is logged and returned."""
    total, done, drawing = sum(some.draws for some in pieces), 0, Drawing()
    say(0, total, next((drawn.name for some in pieces for drawn, _ in some.lacks), "drawing"))
    for some in pieces:
        names = [drawn.name for drawn, _ in some.lacks]
        for i, (piece, result) in enumerate(_mapped(executor, work, some.beside(store)), start=1):
            outcome = result if isinstance(result, Outcome) else _lost(piece, result)
            drawing.add(outcome)
            if outcome.status != "ok":
                store.log(outcome.status, {"audit": outcome.drawn, "message": outcome.message,
                                           "trace": outcome.trace})  # fmt: skip
            done += len(piece.keys) * piece.draws
            say(done, total, names[min(i, len(names) - 1)])  # the next, or one beside it
    store.sweep()  # a worker may have died while it wrote
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
