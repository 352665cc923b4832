"""`fiber-audit run`: compute a suite, or what is missing of it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._judge.interval import exit_code
from ..durations import duration
from ..errors import UsageError
from .shard import shard_of
from .shared import Disable, Exit, Extra, Json, Settings, Strict, Trusted, catalogue_of, say, tell
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
    shard: Annotated[
        str, typer.Option(help="compute share i of n only, or auto", metavar="i/n")
    ] = "1/1",
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
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="say only what went wrong, and where the page is")
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="no colours (also: the variable NO_COLOR)")
    ] = False,
    as_json: Json = False,
    p: Disable = [],
    plugin: Extra = [],
    allow_pickle: Trusted = [],
    strict: Strict = False,
) -> None:
    """Run an audit suite (without SUITE: Color MNIST), or what is missing of it."""
    share = shard_of(shard)
    if not math.isfinite(tolerance):
        raise UsageError(f"--tolerance {tolerance}: give a finite number, e.g. 0.05.")
    if update_baseline and baseline is None:
        raise UsageError("--update-baseline: name the file to update with --baseline.")
    overrides = [*settings, *([f"executor.workers={workers}"] if workers else [])]

    from .progress import Bar

    found: list[Forecast] = []
    done: Run | None = None
    with Bar(quiet, not no_color) as bar, libraries_on_stderr():
        bar(0, 0, "reading the suite")
        from .._suite.read import read

        catalogue = catalogue_of(p, plugin, strict, allow_pickle)
        resolved = read(suite, catalogue, overrides)

        from .. import _run  # torch from here on

        options = _run.Options(
            out=out,
            shard=share,
            baseline=None if update_baseline else baseline,
            new_baseline=baseline if update_baseline else None,
            tolerance=tolerance,
        )
        bar(0, 0, "preparing networks and data")
        if dry_run:
            found = _run.forecast(resolved, catalogue, options)
        else:
            done = _run.run(resolved, catalogue, options, bar)
    if done is None:
        _tell(found, as_json)
        return
    code = conclude(done, as_json, [choice.value for choice in fail_on], quiet, not no_color)
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
        tell(f"{each.name}: {each.to_draw} of {each.draws} to draw{observed}{why}")
    timed = [each.seconds for each in found if each.to_draw]
    known = [seconds for seconds in timed if seconds is not None]
    if timed and len(known) == len(timed):
        say(f"about {duration(sum(known))} of sampling on one worker, as timed before.")
    elif timed:
        say("how long it takes is known once a block of each audit has been timed.")


def conclude(
    done: Run, as_json: bool, fail_on: list[Any], quiet: bool = False, colour: bool = True
) -> int:
    """Tell a person, or a program, how a run ended; returns the exit code."""
    if as_json:
        typer.echo(json.dumps(_summary(done), allow_nan=False))
    elif not done.incomplete:
        from .ending import tell_ending

        tell_ending(done, quiet, colour)
        tell(done.path / "report.html")
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
