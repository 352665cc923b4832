"""`fiber-audit list`: every component that the installed plugins offer."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

import click

from .._suite.component import KINDS, Component
from ..errors import UnknownName, suggestion
from .parameters import argument, with_json
from .plugins import Plugins, with_plugins
from .shared import say, tell

FIELDS = ("kind", "name", "plugin", "distribution", "version")


@click.command()
@argument("kind", required=False, help=f"one of {', '.join(KINDS)}, or a pattern of names")
@argument("pattern", required=False, help="names, with or without plugin: 'hub/*'")
@with_json
@with_plugins(strict=True)
def list(
    kind: str | None,
    pattern: str | None,
    as_json: bool,
    plugins: Plugins,
) -> None:
    """List every component that the installed plugins offer."""
    catalogue = plugins.catalogue()
    if kind and pattern is None and set(kind) & set("*?["):
        kind, pattern = None, kind
    kinds = [kind.removesuffix("s")] if kind else [*KINDS]
    if kinds[0] not in KINDS:
        raise UnknownName(f"kind {kind!r}: no such kind. {suggestion(str(kind), KINDS)}")
    found = [c for c in catalogue if c.kind in kinds and _matches(c, pattern)]
    if pattern is not None and not found:
        names = {c.name for c in catalogue if c.kind in kinds}
        raise UnknownName(f"pattern {pattern!r}: no such name. {suggestion(pattern, names)}")
    rows = [[str(getattr(c, f)) for f in FIELDS] for c in found]
    if as_json:
        click.echo(json.dumps([dict(zip(FIELDS, row, strict=True)) for row in rows], indent=2))
    else:
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(len(FIELDS))]
        for row in rows:
            cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
            tell("  ".join(cells).rstrip())
    for name, reason in catalogue.broken.items():
        say(f"plugin {name!r} did not load: {reason}")


def _matches(component: Component, pattern: str | None) -> bool:
    names = (component.name, component.qualified)
    return pattern is None or any(fnmatchcase(name, pattern) for name in names)
