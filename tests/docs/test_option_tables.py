"""Tables of options in the READMEs of plugins are the signatures of their classes.

A table of options has a first column `option` and then either a column `default`, for the plugin's
only component or the one that the heading above names, or a column for each component, named in
its head. A cell is a TOML value, `none`, `required`, or empty where a component has no such option.
"""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path

import pytest
from docs_site.markdown import option_tables
from docs_site.readmes import columns_of

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.options import defaults_of

PAGES = sorted((Path(__file__).parents[2] / "plugins").glob("*/README.md"))
REQUIRED = "required"


def value_of(cell):
    text = cell.strip("`")
    if text in ("none", REQUIRED):
        return None if text == "none" else REQUIRED
    return tomllib.loads(f"value = {text}")["value"]


def options_of(factory):
    """Option -> default, `required` for none, in the types of TOML."""
    required = dict.fromkeys(inspect.signature(factory).parameters, REQUIRED)
    found = {**required, **defaults_of(factory)}
    return {n: list(v) if isinstance(v, tuple) else v for n, v in found.items()}


def documented(page):
    """Component -> {option: value}, of all tables of a page."""
    components = {c.name: c for c in Catalogue.load() if c.plugin == plugin_of(page)}
    found = {}
    for heading, columns, rows in option_tables(page.read_text()):
        for name, i in columns_of(heading, columns, components).items():
            table = found.setdefault(name, {})
            for row in rows:
                if row[i]:
                    table[row[0].strip("`")] = value_of(row[i])
    return found, components


def plugin_of(page):
    return page.parent.name.removeprefix("fiber_audit_").replace("_", "-")


@pytest.mark.parametrize("page", PAGES, ids=plugin_of)
def test_a_table_of_options_is_the_signature_of_its_class(page):
    found, components = documented(page)

    for name, table in found.items():
        assert table == options_of(components[name].factory), name


def test_samplers_have_tables():
    assert {"ndtm", "moment-matched", "guidance"} <= {
        plugin_of(page) for page in PAGES if documented(page)[0]
    }


def test_a_table_is_read_as_a_person_reads_it():
    text = '## `a`\n| option | default | meaning |\n|---|---|---|\n| `x` | `"l"` | 1 \\| 2 |\n\n'

    assert [*option_tables(text)] == [
        ("## `a`", ["option", "default", "meaning"], [["`x`", '`"l"`', "1 \\| 2"]])
    ]
    assert value_of('`"l"`') == "l"
    assert value_of("[0.3, 1]") == [0.3, 1]
