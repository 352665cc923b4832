"""`fiber-audit run`: compute a suite, or what is missing of it."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from .._judge.interval import FailOn, exit_code
from ..durations import duration
from ..errors import UsageError
from .parameters import Finite, argument, with_json, with_settings
from .plugins import Plugins, with_plugins
from .shard import shard_of
from .shared import Exit, say, tell
from .stdout import libraries_on_stderr

if TYPE_CHECKING:
    from .._draw.forecast import Forecast
    from .._run import Run


@click.command()
@argument("suite", required=False, help="a .toml file, or the name of a shipped suite")
@click.option("--out", type=Path, help="run directory")
@with_settings
@click.option("--workers", type=click.IntRange(1), help="worker processes")
@click.option("--shard", default="1/1", metavar="i/n", help="compute share i of n only, or auto")
@click.option(
    "--fail-on",
    type=click.Choice(get_args(FailOn)),
    multiple=True,
    default=["fail"],
    help="verdicts that make the exit code 1",
)
@click.option("--baseline", type=Path, help="records.csv that no headline may fall behind")
@click.option("--tolerance", type=Finite(0), default=0.05, help="of --baseline, relative")
@click.option("--update-baseline", is_flag=True, help="make this run the baseline if it holds")
@click.option("--dry-run", is_flag=True, help="say what would be computed and why; compute nothing")
@click.option("--quiet", "-q", is_flag=True, help="say only what went wrong, and where the page is")
@click.option("--no-color", is_flag=True, help="no colours (also: the variable NO_COLOR)")
@with_json
@with_plugins(weights=True, strict=True)
def run(
    suite: str | None,
    out: Path | None,
    settings: tuple[str, ...],
    workers: int | None,
    shard: str,
    fail_on: tuple[FailOn, ...],
    baseline: Path | None,
    tolerance: float,
    update_baseline: bool,
    dry_run: bool,
    quiet: bool,
    no_color: bool,
    as_json: bool,
    plugins: Plugins,
) -> int:
    """Run an audit suite (without SUITE: Color MNIST), or what is missing of it."""
    share = shard_of(shard)
    if update_baseline and baseline is None:
        raise UsageError("--update-baseline: name the file to update with --baseline.")
    overrides = [*settings, *([f"executor.workers={workers}"] if workers else [])]

    from .progress import Bar

    found: list[Forecast] = []
    done: Run | None = None
    with Bar(quiet, not no_color) as bar, libraries_on_stderr():
        bar(0, 0, "reading the suite")
        from .._suite.read import read

        catalogue = plugins.catalogue()
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
        return Exit.OK
    code = conclude(done, as_json, fail_on, quiet, not no_color)
    if update_baseline and baseline is not None and code == Exit.OK:
        from .._judge.baseline import update_baseline as update

        update(done.path, baseline)
    return code


def _tell(found: list[Forecast], as_json: bool) -> None:
    """What would be computed: a line per audit on stdout."""
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], allow_nan=False))
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
    done: Run, as_json: bool, fail_on: Collection[FailOn], quiet: bool = False, colour: bool = True
) -> int:
    """Tell a person, or a program, how a run ended; returns the exit code."""
    if as_json:
        click.echo(json.dumps(_summary(done), allow_nan=False))
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
