"""One page: a suite becomes draws, what metrics see of them, numbers, verdicts and a page.

    suite  --prepare-->  plan  --draw-->  units, observed  --score-->  records  --judge-->  verdicts
    and all of it, with the page, is written to the run directory.

Running the same suite again computes what is missing of it, and nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ._draw.draw import Progress
from ._draw.forecast import Forecast
from ._draw.forecast import forecast as forecast_of
from ._draw.prepare import prepare
from ._draw.store import Store
from ._judge.asked import asked, beside
from ._judge.verdicts import Verdict, judge
from ._judge.written import marked
from ._judge.written import write as write_verdicts
from ._report import write_report
from ._score.directory import begin, default_path, refuse_another, save_shown
from ._score.measure import measure
from ._score.rows import rows_of
from ._suite.catalogue import Catalogue
from ._suite.components import Components
from ._suite.suite import Suite
from .records import frame
from .records import write as write_records

if TYPE_CHECKING:
    import pandas as pd


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
    conditions, baselines = asked(suite, options.baseline, options.new_baseline)
    prepared = prepare(suite, catalogue, store, sharing)
    environment = begin(store, prepared)
    scored, waiting = measure(prepared, store, options.shard, say)
    environment = store.facts("environment.json") or environment  # another shard may have begun
    table = frame(rows_of(prepared, scored, environment))
    errors = sum(each.failed for each in scored)
    if waiting:
        return Run(store.path, table, [], errors, waiting)
    say(0, 0, "writing records and page")
    conditions += beside(table, options.baseline, options.tolerance)
    judged = judge(table, conditions, baselines)
    table = marked(table, judged)
    write_verdicts(judged, store.path)
    write_records(table, store.path)
    save_shown(store, prepared, scored, table)
    write_report(store.path)
    return Run(store.path, table, judged, errors, 0)


def forecast(suite: Suite, catalogue: Catalogue, options: Options | None = None) -> list[Forecast]:
    """What `run` would compute, why, and how long it would take; nothing is written."""
    options = options or Options()
    store = Store(options.out or default_path(suite), reading=True)
    refuse_another(store, suite)
    return forecast_of(prepare(suite, catalogue, store), store, options.shard)
