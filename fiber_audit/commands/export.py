"""`fiber-audit export`: a finished run in the format of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import SuiteError, UnknownName
from .shared import Disable, Extra, catalogue_of


def export(
    run: Annotated[Path, typer.Argument(help="run directory")],
    to: Annotated[str, typer.Option(help="an exporter; see `fiber-audit list exporter`")],
    out: Annotated[
        Path | None, typer.Option(help="folder for the files (default: RUN/export)")
    ] = None,
    settings: Annotated[
        list[str],
        typer.Option("--set", help="option=value of the exporter", metavar="OPTION=VALUE"),
    ] = [],
    p: Disable = [],
    plugin: Extra = [],
) -> None:
    """Write a finished run for a dashboard; prints the files."""
    from ..options import problems_of
    from ..records import read_csv
    from ..store import existing
    from ..suite import override

    catalogue = catalogue_of(p, plugin)
    try:
        component = catalogue.find("exporter", to)
    except UnknownName as error:
        raise UnknownName(f"--to {to!r}: {error}") from error
    options: dict[str, Any] = {}
    for setting in settings:
        override(options, setting)
    if problems := problems_of(component.factory, options, to):
        raise SuiteError(problems)
    records = read_csv(existing(run).path / "records.csv")
    target = out or run / "export"
    target.mkdir(parents=True, exist_ok=True)
    for path in component.factory(**options).export(records, run, target):
        typer.echo(path)
