"""The doctor says what is here, what is missing and how to get it, without the network."""

import json
import socket
from importlib import metadata
from pathlib import Path

import pytest

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.commands import doctor, installed
from fiber_audit.commands.caches import caches
from fiber_audit.commands.plugins import Plugins

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def healthy(monkeypatch):
    """The default suite is not tried, but taken to work."""
    monkeypatch.setattr(doctor, "_trial", lambda catalogue: iter(()))


def test_0_and_no_network_where_all_that_the_default_suite_needs_works(command, monkeypatch):
    def reached(*_):
        raise AssertionError("the network was reached")

    monkeypatch.setattr(socket.socket, "connect", reached)
    monkeypatch.setattr(socket, "getaddrinfo", reached)
    done = command("doctor", "--json", toy=False)
    found = json.loads(done.stdout)

    assert done.returncode == 0, found["default_suite"]
    assert found["default_suite"] == []
    versions = {each["name"]: each["version"] for each in found["libraries"]}
    assert all(versions[name] for name in ("torch", "torchvision", "diffusers"))
    assert found["devices"][0]["device"] == "cpu"
    assert {each["plugin"] for each in found["plugins"]} >= {"color-mnist", "moment-matched"}


@pytest.mark.parametrize("plugin", ["moment-matched", "scoring", "color-mnist"])
def test_3_where_a_plugin_is_missing_that_the_default_suite_needs(command, plugin):
    done = command("doctor", "-p", f"no:{plugin}", toy=False)

    assert done.returncode == 3
    assert "default suite, wrong: " in done.stdout
    assert "default suite: works" not in done.stdout


def test_3_where_a_cell_of_the_default_suite_fails(command, monkeypatch):
    from fiber_audit_color_mnist.extractors import Shape

    def broken(self, x):
        raise RuntimeError("weights of another network")

    monkeypatch.setattr(Shape, "features", broken, raising=False)
    monkeypatch.setattr(doctor, "SMALL", (*doctor.SMALL, "executor.workers=1"))
    done = command("doctor", toy=False)

    assert done.returncode == 3
    assert "weights of another network" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_plugin_that_did_not_load_and_a_class_that_cannot_be_imported_are_named(
    command, healthy, monkeypatch, tmp_path
):
    catalogue = Catalogue.load(autoload=False)
    catalogue.broken["bad"] = "ImportError: \x1b[2J no module named 'x'"
    catalogue.add("metric", "gone", dict)
    (own,) = catalogue.components
    object.__setattr__(own, "offer", "no_such_module:Class")
    monkeypatch.setattr(Plugins, "catalogue", lambda _: catalogue)
    done = command("doctor", toy=False)

    assert "plugin bad (no distribution): 0 components" in done.stdout
    assert "wrong: it did not load: ImportError: \\x1b[2J no module named 'x'" in done.stdout
    assert "metric 'gone' cannot be imported from no_such_module:Class" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(("version", "told"), [(None, "not installed"), ("0.9.1", "0.9.1 is too")])
def test_what_is_missing_or_too_old_comes_with_its_components_and_the_command(
    command, healthy, monkeypatch, version, told
):
    known = metadata.version

    def without_timm(name):
        if name != "timm":
            return known(name)
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", without_timm)
    done = command("doctor", toy=False)
    lines = done.stdout.splitlines()
    (place,) = (i for i, line in enumerate(lines) if line.startswith("missing: timm"))

    assert done.returncode == 0, "an extra is no condition of the default suite"
    assert told in lines[place]
    assert "extractor timm" in lines[place]
    assert 'get it: pip install --upgrade "fiber-audit[hub]"' in lines[place + 1]
    assert "metric" not in lines[place]


def test_every_extra_that_a_component_names_exists():
    known = set(metadata.metadata(installed.OURS).get_all("Provides-Extra"))
    wanting = installed.wanted(Catalogue.load())

    assert {"hub", "onnx", "conditional"} <= wanting.keys()
    assert wanting.keys() - {""} <= known
    for extra in wanting.keys() - {""}:
        assert installed.libraries([extra]), extra


def test_caches_are_where_the_environment_says_with_the_bytes_of_their_files(monkeypatch, tmp_path):
    hub = tmp_path / "hub"
    (hub / "blobs").mkdir(parents=True)
    (hub / "blobs" / "a").write_bytes(b"x" * 1000)
    (hub / "snapshot").symlink_to(hub / "blobs" / "a")
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    found = {each.what: each for each in caches()}

    assert (found["Hugging Face hub"].path, found["Hugging Face hub"].size) == (hub, 1000)
    assert found["torchvision, timm"].path == tmp_path / "torch" / "hub" / "checkpoints"
    assert found["torchvision, timm"].size is None


def test_the_page_on_offline_use_names_the_same_folders(monkeypatch):
    for name in ("HF_HUB_CACHE", "HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    text = (DOCS / "offline.md").read_text()

    for each in caches():
        assert f"`~/{each.path.relative_to(Path.home())}`" in text
