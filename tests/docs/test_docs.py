"""The documentation says what the code does."""

import inspect
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from fiber_audit._score.provenance import environment
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.read import parse
from fiber_audit._suite.suite import Suite
from fiber_audit.commands.main import VERBS
from fiber_audit.records import COLUMNS

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/*/README.md")]


def read(*parts):
    return ROOT.joinpath(*parts).read_text()


def test_every_key_of_a_suite_is_documented():
    text = read("docs", "suites.md")
    for key in Suite.model_fields:
        assert re.search(rf"\b{key}\b", text), key


def test_the_suite_of_the_reference_is_valid():
    for text in re.findall(r"```toml\n(name = .*?)```", read("docs", "suites.md"), re.DOTALL):
        assert parse(tomllib.loads(text), Catalogue.load()).name


@pytest.mark.parametrize("code", range(6))
def test_every_exit_code_is_documented_and_has_a_test(code):
    assert re.search(rf"^\| {code} \|", read("docs", "suites.md"), re.M)
    assert f"def test_{code}_" in read("tests", "host", "test_cli.py")


def test_columns_that_docs_name_exist():
    for name in ("status", "stderr", "ci_low", "prior_forward", "seconds", "query", "message"):
        assert name in COLUMNS
        assert f"`{name}`" in read("docs", "suites.md")


def test_what_environment_json_records_is_told():
    told = read("docs", "security.md").split("## What a run writes down")[1]

    for key in re.findall(r'^        "(\w+)": ', inspect.getsource(environment), re.M):
        assert f"`{key}`" in told, key


def test_every_verb_is_in_the_readme():
    text = read("README.md")
    for verb in VERBS:
        assert f"fiber-audit {verb}" in text, verb


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_of_the_docs_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
        there = (page.parent / link).resolve()
        made = there.parent == ROOT / "docs" / "reference"  # test_site.py knows these
        if "://" not in link and not made:
            assert there.exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_modules_of_ours_that_the_docs_name_exist(page):
    text = page.read_text()
    for path in re.findall(r"`((?:fiber_audit|plugins|tests|benchmarks|examples)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"(?:from|import) (fiber_audit(?:\.\w+)+)", text):
        assert find_spec(module), module
