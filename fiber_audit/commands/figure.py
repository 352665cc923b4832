"""`fiber-audit figure`: one figure of a finished run, for a paper."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .._report.plain import plain


class FigureKind(StrEnum):
    """What a figure shows."""

    GRID = "grid"
    PARETO = "pareto"
    INVARIANCE = "invariance"
    BLIND_SPOT = "blind-spot"


class FigureFormat(StrEnum):
    """The kind of file."""

    SVG = "svg"
    PNG = "png"
    PDF = "pdf"


def figure(
    path: Annotated[Path, typer.Argument(help="run directory", metavar="RUN")],
    kind: Annotated[FigureKind, typer.Argument(help="what it shows", metavar="WHAT")],
    to: Annotated[FigureFormat, typer.Option(help="kind of file")] = FigureFormat.SVG,
    out: Annotated[Path | None, typer.Option(help="file (else within the run directory)")] = None,
    audit: Annotated[list[str], typer.Option(help="of this audit; may be repeated")] = [],
    queries: Annotated[int, typer.Option(min=1, max=16, help="rows of a grid")] = 6,
) -> None:
    """Draw a grid of draws, fidelity against consistency, the invariance index or blind spots."""
    from .._report.figures import write_figure

    where = out or path / f"figure-{kind.value}.{to.value}"
    typer.echo(plain(write_figure(path, kind.value, where, to.value, tuple(audit), queries)))
