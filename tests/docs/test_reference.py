"""The reference is made from the code: whole, without words for things that are not there."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import docs_site
import pytest
from docs_site import command_line, tables
from docs_site.components import HOST, WORDS, components, explained, facts, names_of, page
from docs_site.options import options_of
from docs_site.readmes import meanings

from fiber_audit._suite import variables
from fiber_audit._suite.component import KINDS
from fiber_audit._suite.suite import Suite
from fiber_audit.commands.shared import Exit
from fiber_audit.records import COLUMNS
from fiber_audit.testing import image_audit, measure, table_audit

METRICS = [c for c in components() if c.kind == "metric"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_component_has_a_section_with_all_its_options_explained(kind):
    text = page(kind)

    for component in components():
        if component.kind == kind:
            section = text.split(f"\n## {component.name}\n")[1].split("\n## ")[0]
            for option in explained(component):
                assert option.meaning.strip(), (component.name, option.name)
                assert f"| `{option.name}` | " in section
                assert option.default in section


def test_no_option_is_explained_twice_by_us():
    for key in WORDS["options"]:
        name, _, option = key.partition(".")
        (component,) = (c for c in components() if c.name == name and c.kind != "attribute")
        told = {o.name: o.meaning for o in options_of(component.factory)}
        assert not told[option], f"{key}: its docstring says it"
        readme = meanings(component.plugin, names_of(component.plugin))
        assert (name, option) not in readme, f"{key}: its README says it"


def test_words_are_of_things_that_are_there_and_of_all_of_them():
    undocumented = {n for n, field in Suite.model_fields.items() if not field.description}

    assert {*WORDS["metrics"]} == {*names("metric"), HOST}
    assert [*WORDS["columns"]] == [*COLUMNS]
    assert {*WORDS["exit_codes"]} == {code.name for code in Exit}
    assert {*WORDS["variables"]} == {v for k, v in vars(variables).items() if k.isupper()}
    assert {*WORDS["keys"]} == undocumented


def names(kind):
    return {c.name for c in components() if c.kind == kind}


@pytest.mark.parametrize("metric", METRICS, ids=lambda c: c.name)
def test_a_metric_is_explained_with_unit_range_direction_null_and_a_way_to_read_it(metric):
    told = facts(metric.name, metric.factory)

    for key in ("unit", "range", "better", "null", "read"):
        assert f"| **{key}** | " in told
        assert f"| **{key}** |  |" not in told
    assert metric.factory.axis in told


def test_metrics_stay_in_the_ranges_that_are_told():
    measured = set()
    for component in METRICS:
        if any(option.default == "required" for option in options_of(component.factory)):
            continue
        low, high = map(float, WORDS["metrics"][component.name]["range"].split(" to "))
        for audit in (table_audit(), image_audit()):
            try:
                found = measure(component.factory(), audit)
            except Exception:  # not every metric is of every kind of data
                continue
            for each in found:
                if each.name == "mean" and each.value is not None:
                    assert low <= each.value <= high, (component.name, each.value)
                    measured.add(component.name)

    assert len(measured) >= 12, measured


def test_every_verb_is_explained_with_all_its_options():
    text = command_line.page()

    for verb, command in command_line.commands().items():
        section = text.split(f"\n## {verb}\n")[1].split("\n## ")[0]
        for parameter in command.params:
            if parameter.name != "help":
                told = parameter.metavar or parameter.name.upper()
                option = parameter.param_type_name == "option"
                assert (parameter.opts[0] if option else told) in section, (verb, parameter.name)


def test_the_tables_of_the_reference_are_whole():
    text = tables.page()

    for name in [*COLUMNS, *Suite.model_fields, *(code.name for code in Exit)]:
        assert f"`{name}`" in text


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(docs_site.__path__)])
def test_the_examples_of_what_makes_the_site_hold(module):
    needed = {"math": "latex2mathml", "doctests": "griffe"}
    if module in needed:
        pytest.importorskip(needed[module])

    found = doctest.testmod(importlib.import_module(f"docs_site.{module}"))

    assert found.failed == 0
