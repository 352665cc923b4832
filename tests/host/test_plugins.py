import subprocess
import sys

import pytest

from fiber_audit.errors import PluginError, UnknownName, UsageError
from fiber_audit.plugins import Catalogue


def plugin_file(folder, name, text):
    path = folder / f"{name}.py"
    path.write_text("from fiber_audit import hookimpl\n" + text)
    return str(path)


OFFERS = "@hookimpl\ndef fiber_audit_extractors():\n    return {'same': lambda: None}\n"


def test_a_name_offered_twice_is_an_error_that_names_both_ways_out(tmp_path):
    a, b = (plugin_file(tmp_path, name, OFFERS) for name in ("first_one", "second_one"))
    catalogue = Catalogue.load(extra=[a, b])

    with pytest.raises(UnknownName, match="'first_one/same' or 'second_one/same'"):
        catalogue.find("extractor", "same")
    assert catalogue.find("extractor", "second_one/same").plugin == "second_one"


def test_an_unknown_name_comes_with_a_suggestion():
    with pytest.raises(UnknownName, match="Did you mean 'color-mnist-shape'"):
        Catalogue.load().find("extractor", "color-mnist-shap")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nonexistent_library", "ModuleNotFoundError"),
        ("raise SystemError('bad day')", "bad day"),
        ("@hookimpl\ndef fiber_audit_extractors():\n    return ['x']", "not a mapping"),
        ("@hookimpl\ndef fiber_audit_extractors():\n    return {'x': 3}", "not callable"),
        ("@hookimpl\ndef fiber_audit_extractor():\n    return {}", "fiber_audit_extractors"),
    ],
)
def test_a_broken_plugin_costs_only_itself(tmp_path, monkeypatch, text, reason):
    path = plugin_file(tmp_path, "broken", text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("fiber_audit.plugins.entry_points", lambda group: entries())

    def entries():
        from importlib.metadata import EntryPoint, entry_points

        bad = EntryPoint("broken", "broken", "fiber_audit")
        return [bad, *entry_points(group="fiber_audit")]

    sys.modules.pop("broken", None)
    catalogue = Catalogue.load()

    assert reason in catalogue.broken["broken"]
    assert "color-mnist-shape" in catalogue.names("extractor")
    assert "broken" not in {c.plugin for c in catalogue}
    with pytest.raises(PluginError, match="broken"):
        Catalogue.load(strict=True)
    with pytest.raises(UsageError, match="--plugin"):
        Catalogue.load(extra=[path])


def test_plugins_can_be_left_out_and_autoload_switched_off(monkeypatch):
    assert "color-mnist-shape" not in Catalogue.load(disabled=["color-mnist"]).names("extractor")
    with pytest.raises(UnknownName, match="no:colour-mnist"):
        Catalogue.load(disabled=["colour-mnist"])
    assert not list(Catalogue.load(autoload=False))
    monkeypatch.setenv("FIBER_AUDIT_DISABLE_PLUGINS", "color-mnist, scoring")
    assert "color-mnist-shape" not in Catalogue.load().names("extractor")
    monkeypatch.setenv("FIBER_AUDIT_DISABLE_PLUGIN_AUTOLOAD", "1")
    assert not list(Catalogue.load())


@pytest.mark.parametrize("what", ["list", "--help"])
def test_listing_and_help_import_no_torch(what):
    code = (
        "import sys; from fiber_audit.cli import guarded; guarded(sys.argv[1:]);"
        "heavy = {'torch', 'diffusers', 'matplotlib', 'pandas', 'scipy'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, what], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
