"""What the README of a plugin says of options: a fallback where a docstring is silent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from .markdown import option_tables

ROOT = Path(__file__).parents[2]
PAGES = {"dashboards": "docs/dashboards.md"}
"""Plugins whose README is a page of the docs."""


def page_of(plugin: str) -> Path:
    """The README of a plugin of ours."""
    return ROOT / PAGES.get(plugin, f"plugins/fiber_audit_{plugin.replace('-', '_')}/README.md")


def columns_of(heading: str, columns: list[str], names: Iterable[str]) -> dict[str, int]:
    """Component -> its column of a table: by the head, by the heading above, or the only one.

    >>> columns_of("## Options of `b`", ["option", "default", "meaning"], ["a", "b"])
    {'b': 1}
    """
    known = [*names]
    found = {c.strip("`"): i for i, c in enumerate(columns) if c.strip("`") in known}
    if "default" in columns:
        told = [name for name in re.findall(r"`([^`]+)`", heading) if name in known] or known
        found = dict.fromkeys(told, columns.index("default"))
    return found


@cache
def meanings(plugin: str, names: tuple[str, ...]) -> dict[tuple[str, str], str]:
    """(component, option) -> what it means, of the tables of a README."""
    found = dict[tuple[str, str], str]()
    page = page_of(plugin)
    for heading, columns, rows in option_tables(page.read_text() if page.exists() else ""):
        if "meaning" not in columns:
            continue
        for name, column in columns_of(heading, columns, names).items():
            for row in rows:
                if row[column]:
                    found[name, row[0].strip("` *")] = row[columns.index("meaning")]
    return found
