"""The guides (dashboards, ci, write-a-plugin) say what the code does."""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from fiber_audit_dashboards import fiber_audit_exporters

from fiber_audit.check import CHECKS, check_extractor
from fiber_audit.check.extractor import DYNAMIC, STATIC
from fiber_audit.condition_syntax import parse
from fiber_audit.conditions import Condition
from fiber_audit.plugins import Catalogue
from fiber_audit.scaffold import KINDS
from fiber_audit.suite import read

DOCS = Path(__file__).parents[2] / "docs"
EXPORTERS = fiber_audit_exporters()


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("name", EXPORTERS)
def test_every_exporter_has_a_section_with_its_options_and_traps(name):
    section = (DOCS / "dashboards.md").read_text().split(f"\n## {name}\n")[1].split("\n## ")[0]

    assert "Traps: " in section
    for option in inspect.signature(EXPORTERS[name]).parameters:
        assert f"`{option}`" in section


def test_every_key_of_a_condition_is_documented():
    table = (DOCS / "ci.md").read_text().split("| key | default |")[1].split("\n\n")[0]

    assert {field.name for field in fields(Condition)} <= {*re.findall(r"`(\w+)`", table)}


def test_the_suite_of_the_ci_page_is_valid(tmp_path):
    path = tmp_path / "audit.toml"
    (text,) = blocks("ci.md", "toml")
    path.write_text(text)

    suite = read(str(path), Catalogue.load())

    assert len([parse(table, "") for table in suite.conditions]) == 3
    assert tomllib.loads(text)["conditions"][1]["allow"] == ["weights"]


@pytest.mark.parametrize("page", ["ci.md", "dashboards.md"])
def test_workflows_are_yaml(page):
    yaml = pytest.importorskip("yaml")

    for text in blocks(page, "yaml"):
        assert yaml.safe_load(text)


def test_every_contract_check_of_an_extractor_is_documented():
    text = (DOCS / "write-a-plugin.md").read_text()

    for name in ("call", *STATIC, *DYNAMIC):
        assert f"`{name}`" in text
    for kind in KINDS[1:]:
        assert f"| `{kind}` |" in text
        assert f"`{CHECKS[kind].__name__}`" in text


def test_the_plugin_of_the_tutorial_works(tmp_path, monkeypatch):
    for text in blocks("write-a-plugin.md", "python"):
        path = tmp_path / text.splitlines()[0].removeprefix("# ")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    (component,) = Catalogue.load(extra=["fiber_audit_my_network"], autoload=False)
    tests = {}
    exec((tmp_path / "tests/test_extractor.py").read_text(), tests)
    for name in [name for name in tests if name.startswith("test_")]:
        tests[name]()

    assert component.name == "my-network"
    assert check_extractor(component.factory()) == []
    del sys.modules["fiber_audit_my_network"]
