"""`fiber-audit report`: write the page of a finished run again."""

from __future__ import annotations

from pathlib import Path

import click

from .._report.plain import plain
from .parameters import argument
from .shared import say


@click.command()
@argument("path", type=Path, help="run directory")
def report(path: Path) -> None:
    """Write the page of a finished run again, from its directory alone; prints the file."""
    from .._report import write_report

    click.echo(plain(write_report(path, say)))
