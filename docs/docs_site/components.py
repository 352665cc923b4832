"""A page for each kind of component: every one with its options, and every metric explained."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.component import KINDS, Component

from .markdown import table
from .options import Option, options_of, summary_of
from .readmes import meanings, page_of

WORDS: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    Path(__file__).with_name("words.toml").read_text()
)
HOST = "draws_lost"
"""The metric that the host measures by itself."""


@cache
def components() -> tuple[Component, ...]:
    """Everything that the installed plugins of ours offer."""
    return tuple(c for c in Catalogue.load() if c.distribution == "fiber-audit")


def names_of(plugin: str) -> tuple[str, ...]:
    """The components of a plugin."""
    return tuple(c.name for c in components() if c.plugin == plugin)


def explained(component: Component) -> list[Option]:
    """Its options, each with its meaning: of the docstring, else of the README, else of our words.

    Raises:
        KeyError: nobody says what one of them means.
    """
    readme = meanings(component.plugin, names_of(component.plugin))
    found = list[Option]()
    for option in options_of(component.factory):
        meaning = option.meaning or readme.get((component.name, option.name), "")
        meaning = meaning or WORDS["options"][f"{component.name}.{option.name}"]
        found.append(option._replace(meaning=meaning))
    return found


def option_table(options: Sequence[Option]) -> str:
    """All options of a component, or that there are none."""
    if not options:
        return "It has no options.\n"
    return table(
        ("option", "type", "default", "meaning"), [(f"`{o.name}`", *o[1:]) for o in options]
    )


def plugin_link(plugin: str) -> str:
    """A link to the page of a plugin, from a page of the reference."""
    if page_of(plugin).parent.name == "docs":
        return f"[{plugin}](../{page_of(plugin).name})"
    return f"[{plugin}](../plugins/{plugin}.md)" if page_of(plugin).exists() else plugin


def section(component: Component) -> str:
    """One component: what its docstring says, its options, and what we say of a metric."""
    first, rest = summary_of(component.factory)
    first = first.removeprefix(f"`{component.name}`: ")  # the heading has the name
    said = f"{first[:1].upper()}{first[1:]} *Plugin {plugin_link(component.plugin)}.*"
    parts = [f"## {component.name}", said]
    if component.kind == "metric":
        parts.append(facts(component.name, component.factory))
    if rest:
        parts.append(rest)
    return "\n\n".join([*parts, option_table(explained(component))])


def facts(name: str, metric: Any) -> str:
    """Axis, unit, range, direction, null, and how to read a metric."""
    told = WORDS["metrics"][name]
    low, high = (None if "inf" in end else end for end in told["range"].split(" to "))
    span = f"{low} to {high}" if low and high else f"{low} and up" if low else ""
    rows = [
        ("unit", metric.unit or "none"),
        ("range", span or (f"up to {high}" if high else "any number")),
        ("better", metric.better or "neither"),
        ("null", told["null"]),
        ("read", told["read"]),
    ]
    return table(("axis", metric.axis), [(f"**{key}**", value) for key, value in rows])


def page(kind: str) -> str:
    """The page of a kind."""
    parts = [f"# {kind.capitalize()}s", INTRODUCTIONS[kind]]
    parts += [section(c) for c in components() if c.kind == kind]
    if kind == "metric":
        parts.append(f"## {HOST}\n\nMeasured by the host, for every audit.\n\n{facts(HOST, Lost)}")
    return "\n\n".join(parts) + "\n"


class Lost:
    """What the host's own metric is."""

    axis, unit, better = "health", "draw", "lower"


WRITE = "To write one: [hooks](../hooks.md#fiber_audit_{0}s). Its contract: [API](contracts.md)."
INTRODUCTIONS = {kind: WRITE.format(kind) for kind in KINDS} | {
    "metric": "Units, ranges and how to read each. *Null* is the value that says: nothing was "
    "found out. Every headline has a 95 % [interval](../intervals.md). " + WRITE.format("metric"),
    "extractor": "The networks that can be audited by name. " + WRITE.format("extractor"),
}


def pages() -> dict[str, str]:
    """Address -> text of every page of components."""
    return {f"reference/{kind}s.md": page(kind) for kind in KINDS}
