"""The documentation says what the code does."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from fiber_audit import contracts, hookspecs
from fiber_audit.cli import app
from fiber_audit.plugins import KINDS
from fiber_audit.records import COLUMNS

ROOT = Path(__file__).parents[2]
HOOKS = [name for name in dir(hookspecs) if name.startswith("fiber_audit_")]


def read(*parts):
    return ROOT.joinpath(*parts).read_text()


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_contract_and_an_example_that_exists(hook):
    text = read("docs", "hooks.md")
    section = text.split(f"## {hook}\n")[1].split("\n## ")[0]
    contract = re.search(r"\.\.\., (\w+)\]", getattr(hookspecs, hook).__annotations__["return"])[1]

    assert f"`{hook}()`" in text
    assert f"`{contract}`" in text
    assert hasattr(contracts, contract)
    for link in re.findall(r"\]\((\.\./[^)]+)\)", section):
        assert (ROOT / "docs" / link).exists(), link


@pytest.mark.parametrize("kind", KINDS)
def test_every_hook_has_a_plugin_that_implements_it_and_a_test(kind):
    from fiber_audit.plugins import Catalogue

    assert Catalogue.load().names(kind)
    tests = "".join(p.read_text() for p in (ROOT / "tests").rglob("*.py"))
    assert f"fiber_audit_{kind}s" in tests


def test_hook_docstrings_point_to_examples_that_exist():
    for hook in HOOKS:
        for path in re.findall(r"((?:plugins|examples)/[\w./]+)", getattr(hookspecs, hook).__doc__):
            assert (ROOT / path.rstrip(".,")).exists(), path


def test_every_key_of_a_suite_is_documented():
    from fiber_audit.suite import Suite

    text = read("docs", "suites.md")
    for key in Suite.model_fields:
        assert re.search(rf"\b{key}\b", text), key


@pytest.mark.parametrize("code", range(6))
def test_every_exit_code_is_documented_and_has_a_test(code):
    assert re.search(rf"^\| {code} \|", read("docs", "suites.md"), re.M)
    assert f"def test_{code}_" in read("tests", "host", "test_cli.py")


def test_columns_that_docs_name_exist():
    for name in ("status", "stderr", "ci_low", "prior_forward", "seconds", "query", "message"):
        assert name in COLUMNS


def test_every_verb_is_in_the_readme():
    text = read("README.md")
    for verb in get_command(app).commands:
        assert f"fiber-audit {verb}" in text, verb


def test_relative_links_of_the_docs_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*/README.md")]:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"
