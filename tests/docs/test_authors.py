"""The pages for authors of plugins: every hook with its arguments, and every example runs."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest

from fiber_audit import contracts, hookspecs
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.component import KINDS
from fiber_audit.check import CHECKS, check_component, check_extractor
from fiber_audit.check.extractor import DYNAMIC, STATIC
from fiber_audit.scaffold import KINDS as PROJECTS

ROOT = Path(__file__).parents[2]
HOOKS = [name for name in dir(hookspecs) if name.startswith("fiber_audit_")]


def page(name):
    return (ROOT / "docs" / name).read_text()


def section(hook):
    return page("hooks.md").split(f"\n## {hook}\n")[1].split("\n## ")[0]


def contract(hook):
    return getattr(contracts, hook.removeprefix("fiber_audit_").removesuffix("s").capitalize())


def python(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_there_is_one_hook_for_each_kind_of_component():
    assert sorted(f"fiber_audit_{kind}s" for kind in KINDS) == sorted(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_contract_and_an_example_that_exists(hook):
    row = next(r for r in page("hooks.md").splitlines() if r.startswith(f"| `{hook}()` |"))

    assert f"`{contract(hook).__name__}`" in row
    links = re.findall(r"\]\((\.\./[^)]+)\)", section(hook))
    assert links
    for link in links:
        assert (ROOT / "docs" / link).exists(), link


@pytest.mark.parametrize("hook", HOOKS)
def test_every_method_of_a_contract_is_documented_with_its_arguments(hook):
    for name, member in vars(contract(hook)).items():
        if name.startswith("_") or not inspect.isfunction(member):
            continue
        arguments = [*inspect.signature(member).parameters][1:]
        assert f"`{name}({', '.join(arguments)})`" in section(hook), name


@pytest.mark.parametrize("hook", HOOKS)
def test_every_attribute_of_a_contract_is_documented(hook):
    for name in contract(hook).__annotations__:
        assert f"`{name}`" in section(hook), name


def test_the_option_types_are_documented():
    for name in ("Count", "NonNegativeInt", "Positive", "NonNegative", "Fraction"):
        assert hasattr(contracts, name)
        assert f"`{name}`" in page("hooks.md")


def test_hook_docstrings_point_to_examples_that_exist():
    for hook in HOOKS:
        paths = re.findall(r"((?:plugins|examples)/[\w./]+)", getattr(hookspecs, hook).__doc__)
        assert paths, hook
        for path in paths:
            assert (ROOT / path.rstrip(".,")).exists(), path


@pytest.mark.parametrize("kind", KINDS)
def test_every_hook_has_a_plugin_that_implements_it_and_a_test(kind):
    assert Catalogue.load().names(kind)
    tests = "".join(p.read_text() for p in (ROOT / "tests").rglob("*.py"))
    assert f"fiber_audit_{kind}s" in tests


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write the code blocks of a page to the files that their first lines name."""
    before = {*sys.modules}

    def write(text):
        paths = []
        for code in python(text):
            path = tmp_path / code.splitlines()[0].removeprefix("# ")
            path.parent.mkdir(exist_ok=True)
            path.write_text(code)
            paths.append(path)
        return paths

    monkeypatch.syspath_prepend(tmp_path)
    yield write
    for name in {*sys.modules} - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_of_a_hook_is_a_plugin_that_keeps_its_contract(hook, written):
    (path,) = written(section(hook))

    (component,) = Catalogue.load(extra=[str(path)], autoload=False)

    assert component.kind == hook.removeprefix("fiber_audit_").removesuffix("s")
    if component.kind in CHECKS:
        assert check_component(component.kind, component.factory) == []
    else:
        executor = component.factory()
        with executor:
            found = dict(executor.map(lambda piece: 6 // piece, [1, 0, 3]))
        assert (found[1], found[3]) == (6, 2)
        assert isinstance(found[0], ZeroDivisionError)


def test_the_plugins_of_the_tutorial_work(written):
    paths = written(page("write-a-plugin.md"))
    tests = [path for path in paths if path.parent.name == "tests"]

    catalogue = Catalogue.load(extra=["fiber_audit_my_network", "worst"], autoload=False)
    for component in catalogue:
        assert check_component(component.kind, component.factory) == []
    (network,) = (c for c in catalogue if c.kind == "extractor")
    assert check_extractor(network.factory(layer="logits")) == []
    ran = 0
    for path in tests:
        space = {}
        exec(compile(path.read_text(), path, "exec"), space)
        for name in [name for name in space if name.startswith("test_")]:
            space[name]()
            ran += 1
    assert ran == 4


def test_every_contract_check_of_an_extractor_is_documented():
    text = page("write-a-plugin.md")

    for name in ("call", *STATIC, *DYNAMIC):
        assert f"`{name}`" in text
    for kind in PROJECTS[1:]:
        assert f"| `{kind}` |" in text
        assert f"`{CHECKS[kind].__name__}`" in text


def test_the_plugin_of_the_readme_is_the_example():
    shown = [code for code in python((ROOT / "README.md").read_text()) if "hookimpl" in code]
    example = ROOT / "examples" / "fiber_audit_brightness" / "fiber_audit_brightness.py"

    for code in shown:
        assert code.strip() in example.read_text()
