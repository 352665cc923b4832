"""Suite -> draws -> records. Only the runner makes records; each cell fails alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from . import condition_syntax, verdicts
from .components import Components
from .conditions import Condition, Verdict, judge, read_baselines
from .contracts import Extractor, Prior
from .errors import UsageError, WeightsError
from .plan import Audit, Block, Unit, audits, blocks, references, shard, units
from .plugins import Catalogue
from .provenance import environment
from .records import frame, read_csv, to_csv
from .scoring import Cell, cells, failed_cells, gallery, rows_of
from .store import Store, existing, now
from .suite import Suite, read
from .work import Outcome, Work

if TYPE_CHECKING:
    import pandas as pd

    from .report.gallery import Gallery


@dataclass(frozen=True)
class Options:
    """How to run, apart from what the suite says.

    out: the run directory, or None for ``runs/<suite>-<hash>``. shard: (index, count).
    folder: where the suite's file is; its baselines are relative to it.
    baseline: a records.csv that no headline may fall behind by more than `tolerance` (relative).
    new_baseline: a records.csv that the run is to become; while there is none, conditions that
    name it say nothing.
    plugins: what Catalogue.load was given, for other processes to load the same.
    """

    out: Path | None = None
    shard: tuple[int, int] = (0, 1)
    folder: Path = Path()
    baseline: Path | None = None
    tolerance: float = 0.05
    new_baseline: Path | None = None
    disabled: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    autoload: bool | None = None


@dataclass
class Run:
    """A finished run: where it is, its records, its verdicts and what went wrong."""

    path: Path
    records: pd.DataFrame
    verdicts: list[Verdict] = field(default_factory=list)
    failed: int = 0
    """Cells with status error."""
    incomplete: int = 0
    """Units that other shards still have to compute."""


Progress = Callable[[int, int, str], None]
"""Called with (draws done, draws in all, what is going on)."""


def run(
    suite: Suite,
    catalogue: Catalogue,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run a suite, or what is missing of it, and write the run directory.

    Raises UsageError before anything is written if the suite cannot be computed here.
    """
    options = options or Options()
    say = progress or (lambda done, total, what: None)
    _check_device(suite.device)
    components = Components(suite, catalogue)
    planned = audits(suite)
    if not planned:
        raise UsageError("exclude: it leaves no audit; remove a row of [[exclude]].")
    _ = components.queries  # the data set refuses too many queries before anything is written
    for key in suite.samplers:
        components.sampler(key)
    for index in range(len(suite.metrics)):
        components.metric(index)
    executor = components.executor()
    conditions = [
        condition_syntax.parse(c, f"conditions[{i}]") for i, c in enumerate(suite.conditions)
    ]
    conditions = [c for c in conditions if not _is_yet_to_be_written(c, options)]
    baselines = read_baselines(conditions, options.folder)
    if options.baseline is not None:
        baselines[str(options.baseline)] = read_csv(options.baseline)
    broken, digests = _digests(components)

    plan = {
        audit: units(suite, audit, components.queries, digests)
        for audit in [*references(planned), *planned]
        if not _blocker(audit, broken)
    }
    store = Store(options.out or Path("runs") / f"{suite.name}-{suite.digest()[:10]}")
    _open(store, suite, catalogue)
    work = Work(
        suite.model_dump_json(exclude_none=True),
        store.path.resolve(),
        options.disabled,
        options.extra,
        options.autoload,
    )
    outcomes = _compute(executor.map, work, _missing(store, plan, suite, options), say)
    errors = {o.audit: o for o in outcomes if o.status != "ok"}
    for outcome in errors.values():
        store.log(outcome.status, {"audit": outcome.audit, "message": outcome.message,
                                   "trace": outcome.trace})  # fmt: skip
    scored: list[Cell] = []
    waiting = 0
    for audit in planned:
        status, message = _state(audit, broken, errors)
        say(0, 0, f"measuring {audit.name}")
        if status:
            scored += failed_cells(components, audit, status, message)
            continue
        done = len(store.finished(audit) & {u.id for u in plan[audit]})
        if done < len(plan[audit]):
            waiting += len(plan[audit]) - done
            continue
        scored += cells(components, store, audit, plan)
    return _finish(store, components, scored, waiting, conditions, baselines, options)


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device = {device!r}: not usable here ({reason}); try 'cpu'.") from error


def _digests(components: Components) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Make every extractor and prior: (why some cannot be made, weights digests of the rest)."""
    broken: dict[str, tuple[str, str]] = {}
    digests: dict[str, str] = {}
    makers: dict[str, Callable[[str], Extractor | Prior]] = {
        "extractors": components.extractor,
        "priors": components.prior,
    }
    for group, make in makers.items():
        for key in getattr(components.suite, group):
            try:
                digests[f"{group}.{key}"] = make(key).weights_sha256
            except UsageError:
                raise
            except WeightsError as error:
                broken[f"{group}.{key}"] = ("skipped", str(error))
            except Exception as error:  # a component that cannot be made costs its audits only
                broken[f"{group}.{key}"] = ("error", f"{type(error).__name__}: {error}")
    return broken, digests


def _blocker(audit: Audit, broken: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    return broken.get(f"extractors.{audit.extractor}") or broken.get(f"priors.{audit.prior}")


def _state(
    audit: Audit, broken: dict[str, tuple[str, str]], errors: dict[str, Outcome]
) -> tuple[str, str]:
    blocker = _blocker(audit, broken)
    if blocker:
        return blocker
    reference = references([audit])[0].name
    outcome = errors.get(audit.name) or errors.get(reference)
    return (outcome.status, outcome.message) if outcome else ("", "")


def _open(store: Store, suite: Suite, catalogue: Catalogue) -> None:
    known = store.environment()
    store.units.mkdir(parents=True, exist_ok=True)
    store.write("suite.toml", suite.to_toml())
    if not known:
        store.write("environment.json", environment(catalogue, started_at=now()))


def _missing(
    store: Store, plan: dict[Audit, list[Unit]], suite: Suite, options: Options
) -> list[Block]:
    found: list[Block] = []
    for audit, planned in plan.items():
        mine = shard(planned, *options.shard)
        done = store.finished(audit)
        missing = [unit for unit in mine if unit.id not in done]
        found += blocks(audit, missing, suite.batch_size)
    return found


def _compute(
    submit: Callable[[Work, Sequence[Block]], Iterator[Outcome]],
    work: Work,
    todo: Sequence[Block],
    say: Progress,
) -> list[Outcome]:
    total = sum(len(block.units) for block in todo)
    done, outcomes = 0, []
    say(0, total, "drawing")
    for outcome in submit(work, todo) if todo else ():
        outcomes.append(outcome)
        done += outcome.draws
        say(done, total, outcome.audit)
    return outcomes


def _finish(
    store: Store,
    components: Components,
    scored: list[Cell],
    waiting: int,
    conditions: Sequence[Condition],
    baselines: Mapping[str, pd.DataFrame],
    options: Options,
) -> Run:

    suite = components.suite
    table = frame(rows_of(components, store, scored))
    failed = sum(cell.status == "error" for cell in scored)
    if waiting:
        return Run(store.path, table, [], failed, waiting)
    conditions = [*conditions, *_beside_baseline(table, options)]
    judged = judge(table, conditions, baselines)
    table = verdicts.marked(table, judged)
    verdicts.write(judged, store.path)
    store.write("records.csv", to_csv(table))
    store.write("records.parquet", table.to_parquet(index=False))
    shown = {cell.gallery.audit: cell.gallery for cell in scored if cell.gallery is not None}
    _report(store, table, list(shown.values()), suite)
    return Run(store.path, table, judged, failed, 0)


def _is_yet_to_be_written(condition: Condition, options: Options) -> bool:
    new, named = options.new_baseline, condition.baseline
    if new is None or named is None or new.exists():
        return False
    return (options.folder / named).resolve() == new.resolve()


def _beside_baseline(table: pd.DataFrame, options: Options) -> list[Condition]:
    """A condition for the headline of every metric that has a direction."""
    if options.baseline is None:
        return []
    directed = table[table["better"].notna()]["metric"].unique()
    path = str(options.baseline)
    return [Condition(name, baseline=path, tolerance=options.tolerance) for name in directed]


def _report(store: Store, table: pd.DataFrame, galleries: list[Gallery], suite: Suite) -> Path:
    from .report import write_report

    path = store.path / "report.html"
    write_report(path, table, galleries, store.environment(), suite.to_toml())
    return path


def report_again(path: Path, catalogue: Catalogue) -> Path:
    """Write report.html anew from the records and draws of a finished run; returns its path."""
    store = existing(path)
    components = Components(read(str(path / "suite.toml"), catalogue), catalogue)
    table = read_csv(path / "records.csv")
    _, digests = _digests(components)
    planned = audits(components.suite)
    plan = {
        audit: units(components.suite, audit, components.queries, digests)
        for audit in [*references(planned), *planned]
        if f"priors.{audit.prior}" in digests
    }
    galleries = [g for audit in planned if (g := gallery(components, store, audit, plan))]
    return _report(store, table, galleries, components.suite)
