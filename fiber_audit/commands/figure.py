"""`fiber-audit figure`: one figure of a finished run, for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import click

from .._report.plain import plain
from .parameters import argument

What = Literal["grid", "pareto", "invariance", "blind-spot"]
Format = Literal["svg", "png", "pdf"]


@click.command()
@argument("path", type=Path, metavar="RUN", help="run directory")
@argument(
    "kind",
    type=click.Choice(get_args(What)),
    metavar="WHAT",
    help=f"one of {', '.join(get_args(What))}",
)
@click.option("--to", type=click.Choice(get_args(Format)), default="svg", help="kind of file")
@click.option("--out", type=Path, help="file (else within the run directory)")
@click.option("--audit", multiple=True, help="of this audit; may be repeated")
@click.option("--queries", type=click.IntRange(1, 16), default=6, help="rows of a grid")
def figure(
    path: Path, kind: What, to: Format, out: Path | None, audit: tuple[str, ...], queries: int
) -> None:
    """Draw one figure of a finished run, for a paper; prints the file."""
    from .._report.figures import write_figure

    where = out or path / f"figure-{kind}.{to}"
    click.echo(plain(write_figure(path, kind, where, to, audit, queries)))
