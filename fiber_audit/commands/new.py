"""`fiber-audit new`: a plugin project that installs and passes its own tests."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Kind(StrEnum):
    """What the new plugin offers."""

    EXTRACTOR = "extractor"
    PRIOR = "prior"
    SAMPLER = "sampler"
    METRIC = "metric"
    DATASET = "dataset"
    EXPORTER = "exporter"


def new(
    name: Annotated[str, typer.Argument(help="of the plugin and of what it offers")],
    kind: Annotated[Kind, typer.Option(help="what it offers")] = Kind.EXTRACTOR,
    into: Annotated[Path, typer.Option(help="folder to make the project in")] = Path(),
) -> None:
    """Write a plugin project that installs and passes its own tests; prints its folder."""
    from ..scaffold import create_project

    typer.echo(create_project(name, kind.value, into))
