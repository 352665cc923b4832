"""`fiber-audit check`: does a component keep its contract, alone or as a suite uses it?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .._report.plain import plain
from .._suite.component import KINDS
from ..errors import PluginError, SuiteError, UnknownName, UsageError, suggestion
from .check_suite import BLIND, Row, judged, of_suite
from .parameters import argument, with_json
from .plugins import Plugins, with_plugins
from .shared import Exit, say
from .stdout import libraries_on_stderr

if TYPE_CHECKING:
    from .._suite.catalogue import Catalogue
    from .._suite.component import Component

REQUIRED = "this option is required."


@click.command()
@argument(
    "name", required=False, help="a component, a plugin or a suite (default: every component)"
)
@with_json
@with_plugins(weights=True)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="an option of the component, or a path of the suite",
)
def check(
    name: str | None,
    as_json: bool,
    plugins: Plugins,
    settings: tuple[str, ...],
) -> int:
    """Check that components keep their contracts, before a long run finds out."""
    with libraries_on_stderr():
        catalogue = plugins.catalogue()
    looks: Iterator[Callable[[], Row | None]]
    of_a_suite = name is not None and _names_suite(name, catalogue)
    if name is not None and of_a_suite:
        looks = of_suite(catalogue, name, settings)
    else:
        looks = _of_components(catalogue, name, settings)
    rows = []
    for look in looks:
        with libraries_on_stderr():
            row = look()
        if row is None:
            continue
        rows.append(row)
        if not as_json:
            _show(row)
    if as_json:
        click.echo(json.dumps([row.to_dict() for row in rows], indent=2))
    lost = catalogue.broken if name is None else {}
    for broken, reason in lost.items():
        say(f"plugin {broken!r} did not load: {reason}")
    if lost or any(row.status == "violated" for row in rows):
        return Exit.INTERNAL
    unseen = of_a_suite and any(row.status == "skipped" for row in rows)
    return Exit.NOTHING if unseen else Exit.OK  # what cannot be looked at cannot be audited


def _show(row: Row) -> None:
    click.echo(f"{row.status:>8}  {plain(row.component)}")
    for violation in row.violations:
        click.echo(" " * 10 + plain(f"{violation['name']}: {violation['message']}"))
    if row.note:
        say(f"{row.component}: {row.note}")


def _names_suite(name: str, catalogue: Catalogue) -> bool:
    """A .toml file, or a shipped suite of whose name there is no component and no plugin."""
    from .._suite.read import shipped

    known = {word for c in catalogue for word in (c.name, c.qualified, c.plugin)}
    return name.endswith(".toml") or (name in shipped() and name not in known)


def _of_components(
    catalogue: Catalogue, name: str | None, settings: Sequence[str]
) -> Iterator[Callable[[], Row | None]]:
    """A look at each component of that name, or of all."""
    from .._suite.read import override

    given: dict[str, Any] = {}
    for setting in settings:
        override(given, setting)
    for component, options in _chosen(catalogue, name, given):
        yield partial(_row, catalogue, component, options)


def _row(catalogue: Catalogue, component: Component, options: Mapping[str, Any]) -> Row | None:
    """What is wrong with one component; None where its kind has no check."""
    from .._suite.options import problems_of, validated, with_named
    from ..check import CHECKS, check_component

    label = f"{component.kind} {component.qualified}"
    if component.kind not in CHECKS:
        return None
    try:
        factory = component.factory
    except PluginError as error:
        return Row(label, "violated", [{"name": "import", "message": str(error)}])
    if wrong := problems_of(factory, options, component.name):
        missing = all(sentence.endswith(REQUIRED) for sentence in wrong)
        status, hint = ("skipped", " Give it with --set.") if missing else ("violated", "")
        return Row(label, status, [{"name": "options", "message": w + hint} for w in wrong])

    def made(kind: str, named: str) -> object:
        if kind != "attribute":
            return named
        attribute = catalogue.find(kind, named).factory
        if wrong := problems_of(attribute, {}, f"attributes.{named}"):
            raise SuiteError(wrong)
        return attribute()

    chosen = with_named(factory, validated(factory, options), made)
    broken = check_component(component.kind, factory, chosen)
    return judged(label, broken, BLIND if component.kind == "prior" else "")


def _chosen(
    catalogue: Catalogue, name: str | None, given: dict[str, Any]
) -> Iterator[tuple[Component, dict[str, Any]]]:
    """The components that NAME means, in order; with --set, those of that name that take it."""
    from .._suite.options import problems_of

    if given and name is None:
        raise UsageError("--set: it sets an option of one component; give its NAME, too.")
    names = {c: (c.name, c.qualified) if given else (c.name, c.qualified, c.plugin)
             for c in catalogue}  # fmt: skip
    found = [c for c, known in names.items() if name is None or name in known]
    if not found:
        known = {n for each in names.values() for n in each if "/" not in n}
        lost = catalogue.broken.get(str(name))
        why = f"it did not load: {lost}" if lost else suggestion(str(name), known)
        what = "component" if given else "component or plugin"
        raise UnknownName(f"NAME = {name!r}: no such {what}. {why}")
    if given:
        wrong = {c: problems_of(c.factory, given, c.name) for c in found}
        found = [c for c in found if not wrong[c]]
        if not found:
            raise SuiteError([sentence for each in wrong.values() for sentence in each])
    for component in sorted(found, key=lambda c: KINDS.index(c.kind)):
        yield component, given
