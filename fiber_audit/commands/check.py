"""`fiber-audit check`: does a component keep its contract?"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from ..errors import UnknownName, suggestion
from .._suite.options import problems_of
from .._suite.catalogue import Catalogue
from .._suite.component import KINDS, Component
from .shared import Disable, Exit, Extra, Json, catalogue_of, say


def check(
    name: Annotated[
        str | None, typer.Argument(help="a component or a plugin (default: every component)")
    ] = None,
    as_json: Json = False,
    p: Disable = [],
    plugin: Extra = [],
) -> None:
    """Check that components keep their contracts, before a long run finds out."""
    catalogue = catalogue_of(p, plugin)
    found = _chosen(catalogue, name)

    from ..check import CHECKS, check_component

    rows: list[dict[str, Any]] = []
    for component in found:
        if component.kind not in CHECKS:
            continue
        label = f"{component.kind} {component.qualified}"
        missing = problems_of(component.factory, {}, component.name)
        if missing:  # it cannot be made without options, so a suite has to try it
            rows.append({"component": label, "status": "skipped", "violations": missing})
        else:
            broken = check_component(component.kind, component.factory)
            status = "violated" if broken else "kept"
            rows.append({"component": label, "status": status,
                         "violations": [asdict(v) for v in broken]})  # fmt: skip
        if not as_json:
            typer.echo(f"{rows[-1]['status']:>8}  {label}")
            for v in rows[-1]["violations"]:
                line = v if isinstance(v, str) else f"{v['name']}: {v['message']}"
                typer.echo(" " * 10 + line)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    if name is None or name in catalogue.broken:
        for broken_name, reason in catalogue.broken.items():
            say(f"plugin {broken_name!r} did not load: {reason}")
    bad = catalogue.broken if name is None else {}
    if bad or any(row["status"] == "violated" for row in rows):
        raise typer.Exit(Exit.INTERNAL)


def _chosen(catalogue: Catalogue, name: str | None) -> list[Component]:
    found = [c for c in catalogue if name in (None, c.name, c.qualified, c.plugin)]
    if not found:
        known = {c.name for c in catalogue} | {c.plugin for c in catalogue}
        lost = catalogue.broken.get(str(name))
        why = f"it did not load: {lost}" if lost else suggestion(str(name), known)
        raise UnknownName(f"NAME = {name!r}: no such component or plugin. {why}")
    return sorted(found, key=lambda c: KINDS.index(c.kind))
