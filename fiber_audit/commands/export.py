"""`fiber-audit export`: a finished run in the format of another tool."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

from ..errors import FiberAuditError, PluginError, SuiteError, UnknownName, UsageError
from .parameters import argument
from .plugins import Plugins, with_plugins


@click.command()
@argument("run", type=Path, help="run directory")
@click.option("--to", required=True, help="an exporter; see `fiber-audit list exporter`")
@click.option("--out", type=Path, help="folder for the files (default: RUN/export)")
@click.option(
    "--set", "settings", multiple=True, metavar="OPTION=VALUE", help="option=value of the exporter"
)
@with_plugins()
def export(
    run: Path,
    to: str,
    out: Path | None,
    settings: tuple[str, ...],
    plugins: Plugins,
) -> None:
    """Write a finished run for a dashboard; prints the files."""
    from .._draw.store import existing
    from .._suite.options import problems_of, validated
    from .._suite.read import override
    from ..records import read

    catalogue = plugins.catalogue()
    try:
        component = catalogue.find("exporter", to)
    except UnknownName as error:
        raise UnknownName(f"--to {to!r}: {error}") from error
    options: dict[str, Any] = {}
    for setting in settings:
        override(options, setting)
    if problems := problems_of(component.factory, options, to):
        raise SuiteError(problems)
    records = read(existing(run).path)
    target = out or run / "export"
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {target}: cannot be a folder ({error.strerror}).") from error
    try:
        with redirect_stdout(sys.stderr):  # stdout carries data
            exporter = component.factory(**validated(component.factory, options))
            written = [Path(path) for path in exporter.export(records, run, target)]
    except FiberAuditError:
        raise
    except (Exception, SystemExit) as error:  # plugins may raise anything
        raise PluginError(f"--to {to}: {type(error).__name__}: {error}") from error
    for path in written:
        click.echo(path)
