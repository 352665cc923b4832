"""`fiber-audit new`: a plugin project that installs and passes its own tests."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import click

from .parameters import argument

Kind = Literal["extractor", "prior", "sampler", "metric", "attribute", "dataset", "exporter"]
"""What the new plugin offers."""


@click.command()
@argument("name", help="of the plugin and of what it offers")
@click.option(
    "--kind", type=click.Choice(get_args(Kind)), default="extractor", help="what it offers"
)
@click.option("--into", type=Path, default=".", help="folder to make the project in")
def new(name: str, kind: Kind, into: Path) -> None:
    """Write a plugin project that installs and passes its own tests; prints its folder."""
    from ..scaffold import create_project

    click.echo(create_project(name, kind, into, _taken()))


def _taken() -> dict[str, str]:
    """Names that a new plugin would shadow: name -> what has it."""
    from importlib.metadata import entry_points

    from .._suite.catalogue import Catalogue
    from ..hookspecs import GROUP

    plugins = {entry.name: f"the plugin {entry.name}" for entry in entry_points(group=GROUP)}
    return plugins | {c.name: f"the {c.kind} {c.qualified}" for c in Catalogue.load()}
