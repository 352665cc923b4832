import sys

import pytest

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.errors import PluginError, UnknownName, UsageError


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
        ("@hookimpl\ndef fiber_audit_extractor():\n    return {}", "unknown hook"),
        ("import sys\nsys.exit(0)", "SystemExit"),
        ("@hookimpl\ndef fiber_audit_extractors():\n    raise SystemExit(0)", "SystemExit"),
        ("@hookimpl\ndef fiber_audit_extractors():\n    return {'a/b': int}", "is no name"),
        ("@hookimpl\ndef fiber_audit_extractors(wanted):\n    return {}", "wanted"),
    ],
)
def test_a_broken_plugin_costs_only_itself(tmp_path, monkeypatch, text, reason):
    path = plugin_file(tmp_path, "broken", text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("fiber_audit._suite.catalogue.entry_points", lambda group: entries())

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


def test_a_function_that_is_not_marked_as_a_hook_offers_nothing(tmp_path):
    text = "def fiber_audit_extractors():\n    return {'unmarked': int}\n"
    catalogue = Catalogue.load(extra=[plugin_file(tmp_path, "quiet_one", text)])

    assert "unmarked" not in catalogue.names("extractor")


def test_two_distributions_with_one_plugin_name_are_named_both(monkeypatch):
    from importlib.metadata import EntryPoint, entry_points

    twin = EntryPoint("ndtm", "another_ndtm", "fiber_audit")
    monkeypatch.setattr(
        "fiber_audit._suite.catalogue.entry_points",
        lambda group: [twin, *entry_points(group="fiber_audit")],
    )
    broken = Catalogue.load().broken["ndtm"]

    assert "another_ndtm" in broken
    assert "fiber_audit_ndtm" in broken


def test_a_misspelt_name_in_the_environment_is_an_error(monkeypatch):
    monkeypatch.setenv("FIBER_AUDIT_DISABLE_PLUGINS", "scorring")
    with pytest.raises(UnknownName, match="Did you mean 'scoring'"):
        Catalogue.load()


def test_what_a_plugin_prints_does_not_reach_stdout(tmp_path, capsys):
    path = plugin_file(tmp_path, "chatty", "print('hello')\n" + OFFERS)
    Catalogue.load(extra=[path])

    assert capsys.readouterr().out == ""


def test_a_class_that_cannot_be_imported_is_named_with_its_plugin(tmp_path):
    text = "@hookimpl\ndef fiber_audit_extractors():\n    return {'lost': 'no_such_module:Thing'}\n"
    catalogue = Catalogue.load(extra=[plugin_file(tmp_path, "lost_one", text)])
    with pytest.raises(PluginError, match="'lost_one': extractor 'lost' cannot be imported"):
        _ = catalogue.find("extractor", "lost").factory
