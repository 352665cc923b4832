"""`fiber-audit new`: a plugin project that installs and passes its own tests."""

from __future__ import annotations

from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from .._suite.catalogue import Catalogue
from ..hookspecs import GROUP


class Kind(StrEnum):
    """What the new plugin offers."""

    EXTRACTOR = "extractor"
    PRIOR = "prior"
    SAMPLER = "sampler"
    METRIC = "metric"
    ATTRIBUTE = "attribute"
    DATASET = "dataset"
    EXPORTER = "exporter"


def new(
    name: Annotated[str, typer.Argument(help="of the plugin and of what it offers")],
    kind: Annotated[Kind, typer.Option(help="what it offers")] = Kind.EXTRACTOR,
    into: Annotated[Path, typer.Option(help="folder to make the project in")] = Path(),
) -> None:
    """Write a plugin project that installs and passes its own tests; prints its folder."""
    from ..scaffold import create_project

    typer.echo(create_project(name, kind.value, into, _taken()))


def _taken() -> dict[str, str]:
    """Names that a new plugin would shadow: name -> what has it."""
    plugins = {entry.name: f"the plugin {entry.name}" for entry in entry_points(group=GROUP)}
    return plugins | {c.name: f"the {c.kind} {c.qualified}" for c in Catalogue.load()}
