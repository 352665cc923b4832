"""`fiber-audit run`: compute a suite, or what is missing of it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._judge.interval import exit_code
from ..errors import UsageError
from .shared import Disable, Exit, Extra, Json, Settings, Strict, catalogue_of, say
from .stdout import libraries_on_stderr

if TYPE_CHECKING:
    from .._draw.forecast import Forecast
    from .._run import Run


class FailOn(StrEnum):
    """Verdicts that make the exit code 1."""

    FAIL = "fail"
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"


def run(
    suite: Annotated[
        str | None, typer.Argument(help="a .toml file, or the name of a shipped suite")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="run directory")] = None,
    settings: Settings = [],
    workers: Annotated[int | None, typer.Option(min=1, help="worker processes")] = None,
    shard: Annotated[str, typer.Option(help="compute share i of n only", metavar="i/n")] = "1/1",
    fail_on: Annotated[list[FailOn], typer.Option(help="verdicts that make the exit code 1")] = [
        FailOn.FAIL
    ],
    baseline: Annotated[
        Path | None, typer.Option(help="records.csv that no headline may fall behind")
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="of --baseline, relative")] = 0.05,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="make this run the baseline if it holds")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be computed and why; compute nothing")
    ] = False,
    as_json: Json = False,
    p: Disable = [],
    plugin: Extra = [],
    strict: Strict = False,
) -> None:
    """Run an audit suite (without SUITE: Color MNIST), or what is missing of it."""
    from .._suite.read import read

    share = _shard(shard)
    if not math.isfinite(tolerance):
        raise UsageError(f"--tolerance {tolerance}: give a finite number, e.g. 0.05.")
    if update_baseline and baseline is None:
        raise UsageError("--update-baseline: name the file to update with --baseline.")
    catalogue = catalogue_of(p, plugin, strict)
    overrides = [*settings, *([f"executor.workers={workers}"] if workers else [])]
    resolved = read(suite, catalogue, overrides)

    from .. import _run  # torch from here on

    options = _run.Options(
        out=out,
        shard=share,
        baseline=None if update_baseline else baseline,
        new_baseline=baseline if update_baseline else None,
        tolerance=tolerance,
    )
    if dry_run:
        with libraries_on_stderr():
            found = _run.forecast(resolved, catalogue, options)
        _tell(found, as_json)
        return

    from .progress import Bar

    with Bar() as bar, libraries_on_stderr():
        done = _run.run(resolved, catalogue, options, bar)
    code = conclude(done, as_json, [choice.value for choice in fail_on])
    if update_baseline and baseline is not None and code == Exit.OK:
        from .._judge.baseline import update_baseline as update

        update(done.path, baseline)
    raise typer.Exit(code)


def _tell(found: list[Forecast], as_json: bool) -> None:
    """What would be computed: a line per audit on stdout."""
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], allow_nan=False))
        return
    for each in found:
        observed = f", {each.to_observe} to observe" if each.to_observe else ""
        why = f": {'; '.join(each.why)}" if each.why else ""
        typer.echo(f"{each.name}: {each.to_draw} of {each.draws} to draw{observed}{why}")
    timed = [each.seconds for each in found if each.to_draw]
    known = [seconds for seconds in timed if seconds is not None]
    if timed and len(known) == len(timed):
        say(f"about {_duration(sum(known))} of sampling on one worker, as timed before.")
    elif timed:
        say("how long it takes is known once a block of each audit has been timed.")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def conclude(done: Run, as_json: bool, fail_on: list[Any]) -> int:
    """Tell a person, or a program, how a run ended; returns the exit code."""
    if as_json:
        typer.echo(json.dumps(_summary(done), allow_nan=False))
    elif not done.incomplete:
        from .._report.tiles import sentences
        from .._score.exhibits import load as load_exhibits
        from .progress import summary_table

        summary_table(done.records, done.verdicts)
        for sentence in sentences(load_exhibits(done.path), {}):
            say(f"{sentence.audit}: {sentence.text}")
        typer.echo(done.path / "report.html")
    if done.incomplete:
        say(
            f"{done.incomplete} draws are left to other shards; run those with the same --out, "
            f"then this command without --shard."
        )
        return Exit.OK
    if done.failed:
        say(f"{done.failed} cells ended in an error; see `message` in records.csv.")
        return Exit.INTERNAL
    statuses = set(done.records["status"])
    return Exit.NOTHING if statuses == {"skipped"} else exit_code(done.verdicts, fail_on)


def _summary(done: Run) -> dict[str, Any]:
    pooled = done.records[done.records["query"].isna()]
    rows = json.loads(pooled.to_json(orient="records", double_precision=15))
    return {
        "run": str(done.path),
        "incomplete": done.incomplete,
        "failed": done.failed,
        "verdicts": [asdict(verdict) for verdict in done.verdicts],
        "records": [{k: v for k, v in row.items() if v is not None} for row in rows],
    }


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    index, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= index <= count:
        raise UsageError(f"--shard {text!r}: write i/n with 1 <= i <= n, e.g. 2/4.")
    return index - 1, count
