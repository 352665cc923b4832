"""One page: a suite becomes draws, what metrics see of them, numbers, verdicts and a page.

    suite  --prepare-->  plan  --draw-->  units, observed  --score-->  records  --judge-->  verdicts
    and all of it, with the page, is written to the run directory.

Running the same suite again computes what is missing of it, and nothing twice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ._draw.draw import Drawing, Progress, draw, to_do
from ._draw.forecast import Forecast
from ._draw.forecast import forecast as forecast_of
from ._draw.observed import collect, missing
from ._draw.plan import Audit
from ._draw.prepare import Prepared, prepare
from ._draw.store import Store
from ._draw.work import Work
from ._judge.baseline import read_baselines
from ._judge.verdicts import Verdict, judge
from ._judge.written import marked
from ._judge.written import write as write_verdicts
from ._report import write_report
from ._score.cells import Scored, failed, score
from ._score.directory import begin, default_path, refuse_another, save_shown
from ._score.rows import rows_of
from ._suite.catalogue import Catalogue, Loaded
from ._suite.components import Components
from ._suite.condition import Condition
from ._suite.suite import Suite
from .contracts import Executor
from .records import frame, read
from .records import write as write_records

if TYPE_CHECKING:
    import pandas as pd

ROUNDS = 3
"""How often an audit is completed when its files turn out to be damaged."""


@dataclass(frozen=True)
class Options:
    """How to run, apart from what the suite says.

    out: the run directory, or None for ``runs/<suite>-<hash>``. shard: (index, count).
    baseline: a records.csv that no headline may fall behind by more than `tolerance` (relative).
    new_baseline: a records.csv that the run is to become; while there is none, conditions that
    name it say nothing.
    """

    out: Path | None = None
    shard: tuple[int, int] = (0, 1)
    baseline: Path | None = None
    tolerance: float = 0.05
    new_baseline: Path | None = None


@dataclass
class Run:
    """A finished run: where it is, its records, its verdicts and what went wrong."""

    path: Path
    records: pd.DataFrame
    verdicts: list[Verdict] = field(default_factory=list)
    failed: int = 0
    """Cells with status error."""
    incomplete: int = 0
    """Draws that other shards still have to compute."""


def run(
    suite: Suite,
    catalogue: Catalogue,
    options: Options | None = None,
    progress: Progress | None = None,
    sharing: Components | None = None,
) -> Run:
    """Run a suite, or what is missing of it, and write the run directory.

    sharing: components of another suite, so that what both name alike is made once.

    Raises:
        UsageError: the suite cannot be computed here; then nothing is written.
        DiskError: the run directory cannot be written; what was finished is kept.
    """
    options, say = options or Options(), progress or (lambda done, total, what: None)
    store = Store(options.out or default_path(suite))
    refuse_another(store, suite)
    conditions, baselines = _conditions(suite, options)
    prepared = prepare(suite, catalogue, store, sharing)
    environment = begin(store, prepared)
    scored, waiting = _measured(prepared, store, options, say)
    table = frame(rows_of(prepared, scored, environment))
    errors = sum(each.failed for each in scored)
    if waiting:
        return Run(store.path, table, [], errors, waiting)
    judged = judge(table, [*conditions, *_beside_baseline(table, options)], baselines)
    table = marked(table, judged)
    write_verdicts(judged, store.path)
    write_records(table, store.path)
    save_shown(store, prepared, scored, table)
    write_report(store.path)
    return Run(store.path, table, judged, errors, 0)


def forecast(suite: Suite, catalogue: Catalogue, options: Options | None = None) -> list[Forecast]:
    """What `run` would compute, why, and how long it would take; nothing is written."""
    options = options or Options()
    store = Store(options.out or default_path(suite))
    refuse_another(store, suite)
    return forecast_of(prepare(suite, catalogue, store), store, options.shard)


def _measured(
    prepared: Prepared, store: Store, options: Options, say: Progress
) -> tuple[list[Scored], int]:
    """Draw what is missing and score every audit: (results, draws left to other shards)."""
    plan, components = prepared.plan, prepared.components
    loaded = components.catalogue.loaded or Loaded()
    suite_json = plan.suite.model_dump_json(exclude_none=True)
    spread = prepared.inputs.spread
    work = Work(suite_json, store.path.resolve(), loaded, spread, components)
    scored, waiting = list[Scored](), 0
    with components.executor() as executor, tempfile.TemporaryDirectory() as scratch:
        drawing = draw(to_do(prepared, store, options.shard), work, executor, store, say)
        for audit in prepared.audits:
            say(0, 0, f"measuring {audit.name}")
            if why := prepared.blocked.get(audit) or drawing.trouble(audit):
                scored.append(failed(prepared, audit, *why))
            elif left := _left(prepared, store, audit, drawing):
                waiting += left
            else:
                scored.append(_scored(prepared, store, audit, drawing, (work, executor, scratch)))
    return scored, waiting


def _scored(
    prepared: Prepared,
    store: Store,
    audit: Audit,
    drawing: Drawing,
    place: tuple[Work, Executor, str],
) -> Scored:
    """Read what was observed and score it; damaged files are found, and made again, here."""
    work, executor, scratch = place
    for _ in range(ROUNDS):
        observed = collect(store, prepared.plan, audit, Path(scratch))
        if not _left(prepared, store, audit, drawing):
            return score(prepared, audit, observed, drawing)
        draw(to_do(prepared, store), work, executor, store, lambda done, total, what: None)
    message = f"files of {store.path} are damaged again and again; check the disk"
    return failed(prepared, audit, "error", message)


def _left(prepared: Prepared, store: Store, audit: Audit, drawing: Drawing) -> int:
    """Draws of an audit of which something is still to be observed."""
    blind = [owner for name, owner in drawing.blind if name == audit.name]
    chunks = missing(store, prepared.plan, audit, prepared.plan.chunks(), blind)
    return sum(map(len, chunks)) * prepared.plan.per_query


def _conditions(suite: Suite, options: Options) -> tuple[list[Condition], dict[str, pd.DataFrame]]:
    """The suite's conditions that can be judged, and the baselines that they name."""
    kept = [c for c in suite.conditions if not _is_yet_to_be_written(c, suite, options)]
    baselines = read_baselines(kept, suite.folder)
    if options.baseline is not None:
        baselines[str(options.baseline)] = read(options.baseline)
    return kept, baselines


def _is_yet_to_be_written(condition: Condition, suite: Suite, options: Options) -> bool:
    new, named = options.new_baseline, condition.baseline
    if new is None or named is None or new.exists():
        return False
    return (suite.folder / named).resolve() == new.resolve()


def _beside_baseline(table: pd.DataFrame, options: Options) -> Sequence[Condition]:
    """A condition for the headline of every metric that has a direction."""
    if options.baseline is None:
        return []
    directed = table[table["better"].notna()]["metric"].unique()
    path = str(options.baseline)
    return [Condition(metric=m, baseline=path, tolerance=options.tolerance) for m in directed]
