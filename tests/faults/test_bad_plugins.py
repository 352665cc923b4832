"""What a plugin does wrong costs its own cells, and changes no number of another."""

import json
from pathlib import Path

import pandas as pd
import pytest
from toy_suite import TOY_SUITE

from fiber_audit._run import Options, run
from fiber_audit._suite import settings
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.read import read

TIMES = ["run_id", "started_at", "seconds", "git_sha", "git_dirty"]
HERE = Path(__file__).parent
RAISES = ["error", "exit", "stop", "recursion", "memory", "iteration", "generator", "odd words"]
SETS = [
    "dtype", "device", "seed", "grad", "autocast", "deterministic", "threads", "seterr", "warnings",
    "locale", "folder", "variables", "signals", "stdout", "gc", "recursion limit",
]  # fmt: skip
WRONG = ["nan", "rows", "shape", "flat", "float64", "integers", "strings", "none", "meta"]


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load(extra=[str(HERE.parent / "host" / "toy.py"), str(HERE / "faulty.py")])


@pytest.fixture(autouse=True)
def _as_before():
    """Nothing that a test finds leaking harms another."""
    before = settings.now()
    yield
    settings.restore(before)


@pytest.fixture
def go(tmp_path, catalogue, suite, pageless, monkeypatch):
    """Run the toy suite, with more lines, in this process."""
    monkeypatch.chdir(tmp_path)

    def call(more="", out="run", *settings):
        resolved = read(suite(more), catalogue, settings)
        return run(resolved, catalogue, Options(Path(out)))

    return call


@pytest.fixture(scope="module")
def good(catalogue, tmp_path_factory):
    """The rows of the run without a bad plugin."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "suite.toml").write_text(TOY_SUITE)
    resolved = read(str(folder / "suite.toml"), catalogue)
    return others(run(resolved, catalogue, Options(folder / "run")))


def others(done):
    """What a run says of everything but the bad components."""
    table = done.records.drop(columns=TIMES)
    bad = table["audit"].str.contains("bad") | (table["metric"] == "faulty_loss")
    return table[~bad & (table["metric"] != "draws_lost")].reset_index(drop=True)


def statuses(done, part):
    table = done.records
    mine = table["audit"].str.contains(part) | (table["metric"] == part)
    return set(table[mine]["status"])


def sampler(deed="", at="sample", how=""):
    return f"[samplers.bad]\nuse = 'faulty'\ndeed = '{deed}'\nat = '{at}'\nhow = '{how}'\n"


def extractor(deed="", how=""):
    return f"[extractors.bad]\nuse = 'faulty-first-two'\ndeed = '{deed}'\nhow = '{how}'\n"


def metric(deed="", at="observe", how=""):
    bad = f"{{use = 'faulty_loss', deed = '{deed}', at = '{at}', how = '{how}'}}"
    return f"metrics=[{bad}, {{use = 'toy_loss'}}]"


@pytest.mark.parametrize("deed", RAISES)
def test_whatever_a_component_raises_costs_its_own_cells(go, good, deed):
    done = go(sampler(deed) + extractor(deed), "bad", metric(deed))

    pd.testing.assert_frame_equal(others(done), good)
    assert statuses(done, "two/gauss/bad") == {"error"}
    assert statuses(done, "bad/gauss") == {"error"}
    assert statuses(done, "faulty_loss") == {"error"}


@pytest.mark.parametrize("at", ["init", "prepare"])
def test_a_sampler_that_cannot_be_made_or_prepared_costs_its_own_cells(go, good, at):
    done = go(sampler("stop", at), "bad")

    pd.testing.assert_frame_equal(others(done), good)
    assert statuses(done, "two/gauss/bad") == {"error"}


@pytest.mark.parametrize("at", ["summarise", "suspicious", "exhibits"])
def test_a_metric_that_fails_when_it_is_asked_costs_what_it_was_asked_for(go, good, at):
    done = go("", "bad", metric("stop", at))

    pd.testing.assert_frame_equal(others(done), good)
    assert statuses(done, "faulty_loss") == {"error" if at == "summarise" else "ok"}


@pytest.mark.parametrize(
    "deed", ["everything", *(pytest.param(each, marks=pytest.mark.slow) for each in SETS)]
)
def test_what_a_component_sets_for_the_whole_process_changes_no_number_of_another(go, good, deed):
    before = settings.now()
    twice = sampler(deed) + sampler(deed, "init").replace("bad", "bad2")
    done = go(twice + extractor(deed), "bad", metric(deed))

    assert settings.now() == before
    pd.testing.assert_frame_equal(others(done), good)


def test_what_a_component_prints_is_no_data(here, suite):
    done = here("run", suite(sampler("print") + extractor("print")), "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["failed"] == 0
    assert "from Python" in done.stderr


@pytest.mark.parametrize("how", WRONG)
def test_what_is_not_as_the_contract_says_costs_its_own_cells(go, good, how):
    done = go(sampler(how=how) + extractor(how=how), "bad", metric(how=how))

    pd.testing.assert_frame_equal(others(done), good)
    assert statuses(done, "two/gauss/bad") == {"error"}
    assert statuses(done, "bad/gauss") == {"error"}


def test_a_plugin_that_interrupts_is_a_user_who_does(here, suite, tmp_path):
    line = ["run", suite("[samplers.bad]\nuse = 'faulty'\n"), "--out", "run"]
    done = here(*line, "--set", "samplers.bad.deed='interrupt'")

    assert done.returncode == 2, done.stderr
    assert here(*line).returncode == 0
