"""The guides (dashboards, ci) say what the code does."""

from __future__ import annotations

import inspect
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.condition import Condition
from fiber_audit._suite.read import read

DOCS = Path(__file__).parents[2] / "docs"
CATALOGUE = Catalogue.load()


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("name", CATALOGUE.names("exporter"))
def test_every_exporter_has_a_section_with_its_options_and_traps(name):
    section = (DOCS / "dashboards.md").read_text().split(f"\n## {name}\n")[1].split("\n## ")[0]

    assert "Traps: " in section
    for option in inspect.signature(CATALOGUE.find("exporter", name).factory).parameters:
        assert f"`{option}`" in section


def test_every_key_of_a_condition_is_documented():
    table = (DOCS / "ci.md").read_text().split("| key | default |")[1].split("\n\n")[0]

    assert {field.name for field in fields(Condition)} <= {*re.findall(r"`(\w+)`", table)}


def test_the_suite_of_the_ci_page_is_valid(tmp_path):
    path = tmp_path / "audit.toml"
    (text,) = blocks("ci.md", "toml")
    path.write_text(text)

    suite = read(str(path), CATALOGUE)

    assert len(suite.conditions) == 3
    assert tomllib.loads(text)["conditions"][1]["allow"] == ["weights"]


@pytest.mark.parametrize("page", ["ci.md", "dashboards.md"])
def test_workflows_are_yaml(page):
    yaml = pytest.importorskip("yaml")

    for text in blocks(page, "yaml"):
        assert yaml.safe_load(text)
