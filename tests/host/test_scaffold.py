"""`fiber-audit new`: what it writes installs, passes its own tests, and keeps its contract."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
import tomllib

import pytest

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.component import KINDS as COMPONENT_KINDS
from fiber_audit.check import check_component
from fiber_audit.commands.main import guarded
from fiber_audit.errors import UnknownName, UsageError
from fiber_audit.hookspecs import GROUP
from fiber_audit.scaffold import KINDS, create_project

FIBER_AUDIT = [sys.executable, "-c", "from fiber_audit.commands.main import main; main()"]
PUBLIC = {"fiber_audit", *(f"fiber_audit.{kit}" for kit in ("contracts", "measuring", "sampling"))}


def test_every_kind_of_component_but_executors_has_a_project():
    assert {*KINDS} == {*COMPONENT_KINDS} - {"executor"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_project_is_valid_python_and_names_its_entry_point(kind, tmp_path):
    folder = create_project("two-words", kind, tmp_path)

    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"][GROUP] == {"two-words": "fiber_audit_two_words"}
    sources = [*folder.rglob("*.py")]
    assert len(sources) == 3
    for path in sources:
        compile(path.read_text(), path, "exec")
        assert "{{" not in path.read_text()
        assert max(map(len, path.read_text().splitlines())) <= 100


@pytest.mark.parametrize("kind", KINDS)
def test_a_project_imports_nothing_but_what_is_public(kind, tmp_path):
    folder = create_project("demo", kind, tmp_path)
    imported = set()
    for path in folder.glob("fiber_audit_demo/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module)

    assert {name for name in imported if name.startswith("fiber_audit")} <= PUBLIC


@pytest.mark.parametrize("kind", KINDS)
def test_a_projects_hook_imports_no_torch(kind, tmp_path):
    folder = create_project("demo", kind, tmp_path)
    code = "import sys, fiber_audit_demo as d; [getattr(d, n)() for n in dir(d) if 'audit_' in n]"

    subprocess.run(
        [sys.executable, "-c", code + "; assert 'torch' not in sys.modules"],
        cwd=folder,
        check=True,
    )


BAD_NAMES = ["Demo", "my_network", "2d", "a--b", "", "../up", "class", "a" * 61, "é", "a b"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_cannot_be_one_is_refused_with_an_example(name, tmp_path):
    with pytest.raises(UsageError, match=r"lower-case words with hyphens, e\.g\. my-network"):
        create_project(name, into=tmp_path)

    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("ndtm", "this is the sampler ndtm/ndtm already"),
        ("color-mnist", "this is the dataset color-mnist/color-mnist already"),
        ("scoring", "this is the plugin scoring already"),
        ("torch", "there is a module torch already"),
        ("select", "there is a module select already"),
    ],
)
def test_a_name_that_would_shadow_something_is_refused(name, what, tmp_path, capsys):
    code = guarded(["new", name, "--into", str(tmp_path)])

    assert code == 4
    assert f"NAME = {name!r}: {what}; choose another name." in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_a_package_that_is_installed_is_not_shadowed(tmp_path, monkeypatch):
    (tmp_path / "fiber_audit_demo.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(UsageError, match="there is a module fiber_audit_demo already"):
        create_project("demo", into=tmp_path)


def test_a_place_that_is_no_folder_is_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")

    assert guarded(["new", "demo", "--into", str(tmp_path / "file")]) == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be a folder (not a directory); give another --into." in line


@pytest.mark.parametrize("name", ["none", "tensor", "extractor", "network", "match"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_python_or_torch_uses_makes_a_class_that_works(name, kind, tmp_path):
    folder = create_project(name, kind, tmp_path)
    source = (folder / f"fiber_audit_{name}" / f"{kind}.py").read_text()

    classes = {n.name for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ClassDef)}
    assert f"{name.capitalize()}{kind.capitalize()}" in classes
    assert not classes & {"None", "Tensor", "Extractor"}


def test_what_is_there_already_is_not_overwritten(tmp_path):
    create_project("demo", into=tmp_path)

    with pytest.raises(UsageError, match="this is there already"):
        create_project("demo", "prior", tmp_path)


def test_an_unknown_kind_is_refused_with_a_suggestion(tmp_path):
    with pytest.raises(UnknownName, match="Did you mean 'extractor'"):
        create_project("demo", "extractr", tmp_path)


@pytest.fixture
def install(tmp_path):
    """Install a project into a folder of its own; returns the environment that sees it."""

    def call(folder):
        site = tmp_path / "site"
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
        subprocess.run([*pip, "--target", site, folder], check=True)
        return {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}

    return call


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_project_offers_one_component_that_keeps_its_contract(kind, tmp_path, monkeypatch):
    folder = create_project(f"new-{kind}", kind, tmp_path)
    monkeypatch.syspath_prepend(folder)

    catalogue = Catalogue.load(extra=[f"fiber_audit_new_{kind}"], autoload=False)

    (component,) = catalogue
    assert (component.kind, component.name) == (kind, f"new-{kind}")
    assert check_component(kind, component.factory) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_project_installs_passes_its_tests_and_keeps_its_contract(kind, tmp_path, install):
    began = time.monotonic()
    folder = create_project("demo", kind, tmp_path)
    environment = install(folder)
    apart = {"env": environment, "capture_output": True, "text": True, "cwd": tmp_path}

    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "demo"], **apart
    )
    checked = subprocess.run([*FIBER_AUDIT, "check", "demo"], **apart)

    assert tests.returncode == 0, tests.stdout
    assert checked.returncode == 0, checked.stdout
    assert f"kept  {kind} demo/demo" in checked.stdout
    assert time.monotonic() - began < 15 * 60


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k in KINDS if k != "exporter"])
def test_the_suite_of_a_new_project_runs(kind, tmp_path, install):
    folder = create_project("demo", kind, tmp_path)

    done = subprocess.run(
        [*FIBER_AUDIT, "run", str(folder / "suite.toml"), "--out", "out"],
        env=install(folder),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
