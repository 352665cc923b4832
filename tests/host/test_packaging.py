"""What is in the wheel, and which names it promises."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import fiber_audit

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = {p.name for p in (ROOT / "plugins").iterdir() if (p / "__init__.py").is_file()}


def test_every_folder_of_plugins_has_an_entry_point_and_is_in_the_wheel():
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert set(PROJECT["project"]["entry-points"]["fiber_audit"].values()) == FOLDERS
    assert {Path(p).name for p in packages} == FOLDERS | {"fiber_audit"}


def test_every_first_party_plugin_loads_and_offers_something():
    from fiber_audit._suite.catalogue import Catalogue

    catalogue = Catalogue.load()
    ours = {e.name for e in entry_points(group="fiber_audit") if e.module in FOLDERS}

    assert not catalogue.broken
    assert {c.plugin for c in catalogue} >= ours


def test_every_component_of_ours_can_be_imported_where_it_is_said_to_be():
    from fiber_audit._suite.catalogue import Catalogue

    for component in Catalogue.load():
        assert callable(component.factory), component.qualified


def test_all_names_that_are_promised_exist_and_no_others_are_public():
    for name in fiber_audit.__all__:
        assert getattr(fiber_audit, name) is not None
    public = {
        name
        for name, value in vars(fiber_audit).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert len({*fiber_audit.__all__}) == len(fiber_audit.__all__)
    assert public <= {*fiber_audit.__all__}


def test_the_reference_documents_every_public_name_and_no_other():
    """Every section of docs/python.md is headed by one name: ``## audit``."""
    documented = re.findall(r"^## (.*)$", (ROOT / "docs" / "python.md").read_text(), re.M)

    assert len(documented) == len({*documented})
    assert {*documented} == {name for name in fiber_audit.__all__ if not name.startswith("_")}


def test_importing_the_package_imports_no_torch():
    code = "import fiber_audit, fiber_audit.contracts, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_types_are_in_the_wheel():
    assert (ROOT / "fiber_audit" / "py.typed").is_file()


def test_the_version_is_said_once():
    assert PROJECT["project"]["version"] == fiber_audit.__version__
    sources = [p for top in ("fiber_audit", "plugins") for p in (ROOT / top).rglob("*.py")]
    assert not [p for p in sources if f'"{fiber_audit.__version__}"' in p.read_text()]
