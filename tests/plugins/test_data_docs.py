"""What the pages on data show is what the datasets take."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import fiber_audit_data
import pytest

from fiber_audit._suite import options

ROOT = Path(__file__).parents[2]
OFFERS = fiber_audit_data.fiber_audit_datasets()
SNIPPETS = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "data.md").read_text(), re.DOTALL)


def factory(name):
    module, _, attribute = OFFERS[name].partition(":")
    return getattr(import_module(module), attribute)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_every_snippet_is_valid(snippet):
    for table in tomllib.loads(snippet).values():
        given = {name: value for name, value in table.items() if name not in ("use", "prior")}
        problems = options.problems_of(factory(table["use"]), given, "queries")

        assert [p for p in problems if "queries.prior" not in p] == []  # that one is a component


def test_there_is_a_snippet_of_every_dataset():
    assert {tomllib.loads(s)["queries"]["use"] for s in SNIPPETS} == {*OFFERS}


@pytest.mark.parametrize("name", OFFERS)
def test_every_option_is_explained_where_a_user_reads_it(name):
    made = factory(name)
    told = re.findall(r"^        (\w+): ", made.__doc__.partition("Args:")[2], re.M)

    assert told == [*made.__init__.__annotations__][:-1]
