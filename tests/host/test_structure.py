"""The host reads like a map: imports go one way, files are short, one word names one class."""

from __future__ import annotations

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOST = ROOT / "fiber_audit"
PLUGINS = ROOT / "plugins"
PACKAGES = [HOST, *(path for path in sorted(PLUGINS.iterdir()) if (path / "__init__.py").exists())]
AUTHORS = ("computing", "contracts", "fitting", "loading", "sampling", "measuring")
KITS = {"fiber_audit", *(f"fiber_audit.{name}" for name in AUTHORS)}
EXPORTERS = {"fiber_audit.records"}
"""The kit of exporter authors: the table that their contract hands them."""

ORDER = [
    *("_version", "errors", "hookspecs", "", "durations", "files", "computing", "schedule"),
    *("noise", "contracts", "loading", "blocks", "sampling", "fitting", "measuring", "records"),
    *("check", "testing", "scaffold", "_suite", "_draw", "_score", "_judge", "_report", "_run"),
    *("tune", "commands", "_front", "pytest_plugin", "__main__"),
]
"""Floors from the ground up; "" is the package itself, whose names load on first use."""


def sources(*folders):
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def name_of(path):
    """The dotted name of a module under the root or under plugins/."""
    base = PLUGINS if PLUGINS in path.parents else ROOT
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sources(*PACKAGES)}


def imports_of(module, path, types_too=False):
    """Names of the modules that a module imports, anywhere in it."""
    found = set()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]

    def visit(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not types_too:
            for other in node.orelse:
                visit(other)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, node.module or ""]).strip(".") if node.level else node.module
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                found.add(whole if whole in MODULES else base)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found - {module}


def test_imports_are_read_as_python_reads_them():
    found = imports_of("fiber_audit.check.sampler", HOST / "check" / "sampler.py")

    assert {"torch", "fiber_audit.contracts", "fiber_audit.check.network"} <= found
    assert "fiber_audit.check" not in found


def test_no_module_imports_itself_by_a_circle():
    graph = {name: imports_of(name, path) & MODULES.keys() for name, path in MODULES.items()}

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def floor_of(module):
    return module.split(".")[1] if "." in module else ""


def test_every_module_of_the_host_has_its_floor():
    floors = {floor_of(name) for name in MODULES if name.split(".")[0] == "fiber_audit"}

    assert floors <= {*ORDER}
    assert {*ORDER} - {""} <= floors


@pytest.mark.parametrize("floor", ORDER)
def test_imports_go_down_the_floors_only(floor):
    above = {*ORDER[ORDER.index(floor) + 1 :]}
    wrong = [
        f"{name} imports {other}"
        for name, path in MODULES.items()
        if name.split(".")[0] == "fiber_audit" and floor_of(name) == floor
        for other in sorted(imports_of(name, path))
        if other.split(".")[0] == "fiber_audit" and floor_of(other) in above
    ]

    assert wrong == []


@pytest.mark.parametrize("plugin", PACKAGES[1:], ids=lambda path: path.name)
def test_a_plugin_imports_the_kits_of_authors_and_nothing_else_of_ours(plugin):
    wrong = [
        f"{name_of(path)} imports {other}"
        for path in sources(plugin)
        for other in sorted(imports_of(name_of(path), path, types_too=True))
        if other.startswith("fiber_audit")
        and other not in KITS | EXPORTERS
        and other.split(".")[0] != plugin.name
    ]

    assert wrong == []


def test_no_file_is_above_300_lines_and_the_run_is_one_page():
    long = {
        f"{path.relative_to(ROOT)}: {count}"
        for path in sources(*PACKAGES, ROOT / "examples", ROOT / "benchmarks")
        if (count := len(path.read_text().splitlines())) > 300
    }

    assert long == set()
    assert len((HOST / "_run.py").read_text().splitlines()) <= 150


def test_one_word_names_one_class():
    homes = defaultdict(list)
    for path in sources(HOST):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(name_of(path))
    wrong = {name: where for name, where in homes.items() if len(where) > 1}

    assert wrong == {}
