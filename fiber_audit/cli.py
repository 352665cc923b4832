"""The command `fiber-audit`: stdout carries data, stderr progress and complaints.

Exit codes: 0 all conditions hold, 1 a condition failed, 2 interrupted, 3 internal or plugin error,
4 bad usage or suite, 5 nothing to run.
"""

from __future__ import annotations

import json
import sys
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from . import __version__
from .errors import FiberAuditError, UsageError

app = typer.Typer(
    help="What can your network not tell apart? Draws from its fibers, measured and shown.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Exit(IntEnum):
    """Pytest's exit codes."""

    OK = 0
    FAILED = 1
    INTERRUPTED = 2
    INTERNAL = 3
    USAGE = 4
    NOTHING = 5


Disable = Annotated[
    list[str], typer.Option("-p", help="no:NAME leaves a plugin out", metavar="no:NAME")
]
Extra = Annotated[
    list[str], typer.Option("--plugin", help="also load this module or .py file", metavar="WHERE")
]
Json = Annotated[bool, typer.Option("--json", help="write JSON to stdout")]
SuiteName = Annotated[str | None, typer.Argument(help="a .toml file or a shipped suite's name")]


@app.command()
def run(
    suite: SuiteName = None,
    out: Annotated[Path | None, typer.Option(help="run directory")] = None,
    set_: Annotated[
        list[str], typer.Option("--set", help="override, e.g. samplers.ndtm.steps=50")
    ] = [],  # noqa: B006 (typer reads it, nothing writes it)
    workers: Annotated[int | None, typer.Option(min=1, help="worker processes")] = None,
    shard: Annotated[str, typer.Option(help="compute share i of n only", metavar="i/n")] = "1/1",
    as_json: Json = False,
    p: Disable = [],  # noqa: B006
    plugin: Extra = [],  # noqa: B006
) -> None:
    """Run an audit suite (without SUITE: Color MNIST), or what is missing of it."""
    from .plugins import Catalogue
    from .progress import Bar
    from .suite import read

    disabled = _disabled(p)
    catalogue = Catalogue.load(disabled, plugin)
    settings = [*set_, *([f"executor.workers={workers}"] if workers else [])]
    resolved = read(suite, catalogue, settings)
    share = _shard(shard)
    from . import runner  # torch from here on

    options = runner.Options(out, share, disabled, tuple(plugin))
    with Bar() as bar:
        done = runner.run(resolved, catalogue, options, bar)
    _conclude(done, as_json)


def _conclude(done: Any, as_json: bool) -> None:
    from . import conditions

    if as_json:
        typer.echo(json.dumps(_summary(done), allow_nan=False))
    elif not done.incomplete:
        from .progress import summary_table

        summary_table(done.records, done.verdicts)
        typer.echo(done.path / "report.html")
    if done.incomplete:
        typer.echo(
            f"{done.incomplete} draws belong to other shards; run them, then this command "
            f"again with the same --out and no --shard.",
            err=True,
        )
    if done.failed:
        _say(f"{done.failed} cells ended in an error; see the column message of records.csv.")
        raise typer.Exit(Exit.INTERNAL)
    raise typer.Exit(conditions.exit_code(done.verdicts))


def _summary(done: Any) -> dict[str, Any]:
    records = done.records
    pooled = records[records["query"].isna()]
    rows = json.loads(pooled.to_json(orient="records"))
    return {
        "run": str(done.path),
        "incomplete": done.incomplete,
        "failed": done.failed,
        "verdicts": [verdict.as_dict() for verdict in done.verdicts],
        "records": [{k: v for k, v in row.items() if v is not None} for row in rows],
    }


@app.command("list")
def list_(
    kind: Annotated[str | None, typer.Argument(help="one kind of component only")] = None,
    as_json: Json = False,
    p: Disable = [],  # noqa: B006
    plugin: Extra = [],  # noqa: B006
) -> None:
    """List every component that the installed plugins offer."""
    from .errors import UnknownName, suggestion
    from .plugins import KINDS, Catalogue

    catalogue = Catalogue.load(_disabled(p), plugin)
    kinds = [kind.removesuffix("s")] if kind else list(KINDS)
    if kinds[0] not in KINDS:
        raise UnknownName(f"kind {kind!r}: no such kind. {suggestion(str(kind), KINDS)}")
    found = [c for c in catalogue if c.kind in kinds]
    rows = [(c.kind, c.name, c.plugin, c.distribution, c.version) for c in found]
    if as_json:
        keys = ("kind", "name", "plugin", "distribution", "version")
        typer.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
    else:
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(5)]
        for row in rows:
            cells = (text.ljust(w) for text, w in zip(row, widths, strict=True))
            typer.echo("  ".join(cells).rstrip())
    for name, reason in catalogue.broken.items():
        typer.echo(f"plugin {name!r} did not load: {reason}", err=True)


@app.command()
def report(path: Annotated[Path, typer.Argument(help="run directory")]) -> None:
    """Write report.html of a finished run again."""
    from .plugins import Catalogue

    catalogue = Catalogue.load()
    from . import runner

    typer.echo(runner.report_again(path, catalogue))


def _disabled(words: list[str]) -> tuple[str, ...]:
    for word in words:
        if not word.startswith("no:"):
            raise UsageError(f"-p {word}: write -p no:NAME to leave a plugin out.")
    return tuple(word.removeprefix("no:") for word in words)


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count)):
        raise UsageError(f"--shard {text!r}: write i/n with 1 <= i <= n, e.g. 2/4.")
    return int(index) - 1, int(count)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"fiber-audit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """What can your network not tell apart? Draws from its fibers, measured and shown."""


def _say(line: object) -> None:
    typer.echo(f"fiber-audit: {line}", err=True)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(int(guarded(sys.argv[1:])))


def guarded(arguments: list[str]) -> int:
    """Run the command line; returns the exit code. User mistakes are one line each, on stderr."""
    try:
        result = app(args=arguments, prog_name="fiber-audit", standalone_mode=False)
    except UsageError as error:
        for line in str(error).splitlines():
            _say(line)
        return Exit.USAGE
    except FiberAuditError as error:
        _say(error)
        return Exit.INTERNAL
    except KeyboardInterrupt:
        _say("interrupted; run the same command again to compute what is missing.")
        return Exit.INTERRUPTED
    except Exception as error:
        if hasattr(error, "format_message"):  # click's own: wrong option, missing argument
            _say(f"{error.format_message()} Try 'fiber-audit --help'.")
            return Exit.USAGE
        if type(error).__name__ == "Abort":
            _say("interrupted; run the same command again to compute what is missing.")
            return Exit.INTERRUPTED
        raise
    return result if isinstance(result, int) else Exit.OK
