"""The option tables of the samplers' READMEs are the signatures of their classes."""

import inspect
from pathlib import Path

import pytest

from fiber_audit._suite.catalogue import Catalogue

PLUGINS = Path(__file__).parents[2] / "plugins"
OURS = ("guidance", "moment-matched", "ndtm")
SAMPLERS = {c.name: c for c in Catalogue.load() if c.kind == "sampler" and c.plugin in OURS}


def documented(plugin, sampler):
    """{option: default} of the README's table, where a plugin of several has a column for each."""
    readme = PLUGINS / f"fiber_audit_{plugin.replace('-', '_')}" / "README.md"
    section = readme.read_text().split("\n## Options\n")[1].split("\n## ")[0]
    table = section[section.index("|") :].split("\n\n")[0].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table)
    column = head.index("default" if "default" in head else f"`{sampler}`")
    return {row[0].strip("`"): row[column].strip("`") for row in rows if row[column]}


def written(default):
    """A default as the READMEs write it."""
    if default is None:
        return "none"
    if isinstance(default, str):
        return f'"{default}"'
    return str([*default]) if isinstance(default, tuple) else f"{default:g}"


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_readme_lists_every_option_with_its_default_and_no_other(name):
    parameters = inspect.signature(SAMPLERS[name].factory).parameters
    options = {option: written(p.default) for option, p in parameters.items()}
    assert documented(SAMPLERS[name].plugin, name) == options


@pytest.mark.parametrize("name", SAMPLERS)
def test_options_are_given_by_name_and_do_not_change_afterwards(name):
    sampler = SAMPLERS[name].factory()
    with pytest.raises(TypeError):
        SAMPLERS[name].factory(10)
    with pytest.raises(AttributeError):
        sampler.steps = 1
