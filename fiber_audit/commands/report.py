"""`fiber-audit report`: write the page of a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .._report.plain import plain
from .shared import say


def report(path: Annotated[Path, typer.Argument(help="run directory")]) -> None:
    """Write report.html of a finished run again, from its directory alone; prints the file."""
    from .._report import write_report

    typer.echo(plain(write_report(path, say)))
