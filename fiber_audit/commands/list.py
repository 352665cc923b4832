"""`fiber-audit list`: every component that the installed plugins offer."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from .._suite.component import KINDS, Component
from ..errors import UnknownName, suggestion
from .shared import Disable, Extra, Json, Strict, catalogue_of, say, tell

FIELDS = ("kind", "name", "plugin", "distribution", "version")


def list_(
    kind: Annotated[
        str | None, typer.Argument(help=f"one of {', '.join(KINDS)}, or a pattern of names")
    ] = None,
    pattern: Annotated[
        str | None, typer.Argument(help="names, with or without plugin: 'hub/*'")
    ] = None,
    as_json: Json = False,
    p: Disable = [],
    plugin: Extra = [],
    strict: Strict = False,
) -> None:
    """List every component that the installed plugins offer."""
    catalogue = catalogue_of(p, plugin, strict)
    if kind and pattern is None and set(kind) & set("*?["):
        kind, pattern = None, kind
    kinds = [kind.removesuffix("s")] if kind else list(KINDS)
    if kinds[0] not in KINDS:
        raise UnknownName(f"kind {kind!r}: no such kind. {suggestion(str(kind), KINDS)}")
    found = [c for c in catalogue if c.kind in kinds and _matches(c, pattern)]
    if pattern is not None and not found:
        names = {c.name for c in catalogue if c.kind in kinds}
        raise UnknownName(f"pattern {pattern!r}: no such name. {suggestion(pattern, names)}")
    rows = [[str(getattr(c, f)) for f in FIELDS] for c in found]
    if as_json:
        typer.echo(json.dumps([dict(zip(FIELDS, row, strict=True)) for row in rows], indent=2))
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
