import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import fiber_audit

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = {p.name for p in (ROOT / "plugins").iterdir() if (p / "__init__.py").is_file()}


def test_every_folder_of_plugins_has_an_entry_point_and_is_in_the_wheel():
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert set(PROJECT["project"]["entry-points"]["fiber_audit"].values()) == FOLDERS
    assert {Path(p).name for p in packages} == FOLDERS | {"fiber_audit"}


def test_every_first_party_plugin_loads_and_offers_something():
    from fiber_audit.plugins import Catalogue

    catalogue = Catalogue.load()
    ours = {e.name for e in entry_points(group="fiber_audit") if e.module in FOLDERS}

    assert not catalogue.broken
    assert {c.plugin for c in catalogue} >= ours


def test_all_names_that_are_promised_exist_and_no_others_are_public():
    for name in fiber_audit.__all__:
        assert getattr(fiber_audit, name) is not None
    assert set(fiber_audit._LAZY) <= set(fiber_audit.__all__)


def test_importing_the_package_imports_no_torch():
    code = "import fiber_audit, fiber_audit.contracts, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_version_is_said_once():
    assert PROJECT["project"]["version"] == fiber_audit.__version__
