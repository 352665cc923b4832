"""Draw what is missing of a run and score every audit of it, as files on disk allow."""

from __future__ import annotations

from .._draw.draw import Drawing, Progress, draw
from .._draw.missing import missing, to_do
from .._draw.observed import collect
from .._draw.plan import Audit
from .._draw.prepare import Prepared
from .._draw.store import Store
from .._draw.work import Work
from .._suite.catalogue import Loaded
from ..contracts import Executor
from ..files import scratch
from .cells import Scored, failed, score

ROUNDS = 3
"""How often an audit is completed when its files turn out to be damaged."""


def measure(
    prepared: Prepared, store: Store, share: tuple[int, int], say: Progress
) -> tuple[list[Scored], int]:
    """Draw what is missing and score every audit: (results, draws left to other shards)."""
    plan, components = prepared.plan, prepared.components
    loaded = components.catalogue.loaded or Loaded()
    suite_json = plan.suite.model_dump_json(exclude_none=True)
    spread = prepared.inputs.spread
    work = Work(suite_json, store.path.resolve(), loaded, spread, components)
    scored, waiting = list[Scored](), 0
    with components.executor() as executor:
        drawing = draw(to_do(prepared, store, share), work, executor, store, say)
        for audit, unseen in prepared.unseen.items():
            drawing.blind |= {(audit.name, look.owner): why for look, why in unseen}
        for audit in prepared.audits:
            say(0, 0, f"measuring {audit.name}")
            if why := prepared.blocked.get(audit) or drawing.trouble(audit):
                scored.append(failed(prepared, audit, *why))
            elif left := _left(prepared, store, audit, drawing):
                if share[1] == 1:  # there is nobody else to do it
                    scored.append(failed(prepared, audit, "error", _astray(prepared, left)))
                else:
                    waiting += left
            else:
                scored.append(_scored(prepared, store, audit, drawing, work, executor))
    return scored, waiting


def _scored(
    prepared: Prepared,
    store: Store,
    audit: Audit,
    drawing: Drawing,
    work: Work,
    executor: Executor,
) -> Scored:
    """Read what was observed and score it; damaged files are found, and made again, here."""
    for _ in range(ROUNDS):
        with scratch(store.path) as folder:
            observed = collect(store, prepared.plan, audit, folder)
            if not _left(prepared, store, audit, drawing):
                return score(prepared, audit, observed, drawing)
        again = to_do(prepared, store, only=audit)
        repair = draw(again, work, executor, store, lambda done, total, what: None)
        if why := repair.trouble(audit):
            return failed(prepared, audit, *why)
        drawing.blind |= repair.blind
    message = f"files of {store.path} are damaged again and again; check the disk"
    return failed(prepared, audit, "error", message)


def _astray(prepared: Prepared, left: int) -> str:
    name = prepared.plan.suite.executor.use
    return (
        f"the executor {name!r} says nothing of a failure, but {left} draws are not in the run "
        f"directory; run the suite again, or with another executor"
    )


def _left(prepared: Prepared, store: Store, audit: Audit, drawing: Drawing) -> int:
    """Draws of an audit of which something is still to be observed."""
    blind = [owner for name, owner in drawing.blind if name == audit.name]
    lacks = missing(store, prepared.plan, audit, prepared.plan.chunks(), blind)
    return sum(len(lack.queries) for lack in lacks) * prepared.plan.per_query
