"""`fiber-audit report`: write the page of a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import Disable, Extra, catalogue_of


def report(
    path: Annotated[Path, typer.Argument(help="run directory")],
    p: Disable = [],
    plugin: Extra = [],
) -> None:
    """Write report.html of a finished run again."""
    catalogue = catalogue_of(p, plugin)
    from .. import runner

    typer.echo(runner.report_again(path, catalogue))
