"""The pytest plugin, in a pytest of its own on the toy world."""

from __future__ import annotations

from pathlib import Path

import pytest

from fiber_audit.records import read_csv
from fiber_audit.runner import Options, run
from fiber_audit.suite import read

pytest_plugins = ["pytester"]

TOY = Path(__file__).parent / "toy.py"
SUITE = """
name = "toy"
draws = 3
metrics = ["toy_loss"]
[queries]
use = "toy-points"
[extractors.two]
use = "toy-first-two"
[priors.gauss]
use = "toy-gaussian"
[samplers.proj]
use = "toy-projecting"
"""
CONDITIONS = """
[[conditions]]
metric = "toy_loss"
max = 10.0
[[conditions]]
metric = "toy_loss"
max = 1e-9
[[conditions]]
metric = "toy_loss"
max = 1e-9
severity = "warn"
name = "soft"
[[conditions]]
metric = "toy_lose"
max = 1
"""


@pytest.fixture(scope="module")
def _warm(toy_catalogue, tmp_path_factory):
    """Import all that a run imports: what is imported inside pytester is dropped after it."""
    path = tmp_path_factory.mktemp("warm")
    (path / "suite.toml").write_text(SUITE)
    run(read(str(path / "suite.toml"), toy_catalogue), toy_catalogue, Options(out=path / "run"))


@pytest.fixture
def run_pytest(_warm, pytester, monkeypatch):
    """Write the suite and run pytest with the plugin and nothing else; in_process or not."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def call_pytest(*arguments, suite=SUITE + CONDITIONS, apart=False):
        pytester.makefile(".toml", suite=suite)
        call = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
        plugin = ["-p", "fiber_audit.pytest_plugin", f"--fiber-audit-plugin={TOY}"]
        return call("-p", "no:cacheprovider", "-rs", *plugin, *arguments)

    return call_pytest


def test_every_condition_is_a_test_and_failures_tell_value_bound_and_report(run_pytest):
    result = run_pytest("--fiber-audit=suite.toml", "-v")

    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(
        [
            "suite.toml::every audit finishes PASSED*",
            "suite.toml::toy_loss <= 10 PASSED*",
            "suite.toml::toy_loss <= 1e-09 FAILED*",
            "suite.toml::soft PASSED*",
            "suite.toml::toy_lose <= 1 FAILED*",
        ]
    )
    result.stdout.fnmatch_lines(
        [
            "toy_loss <= 1e-09: two/gauss/proj has * [[]*, *] feature, n = *violates max 1e-09.",
            "pictures: runs/toy-*/report.html",
        ]
    )
    result.stdout.fnmatch_lines(["*Did you mean 'toy_loss'?*"])
    result.stdout.fnmatch_lines(["*= fiber-audit =*", "warn: soft: *violates max 1e-09."])


def test_warnings_fail_where_it_is_asked_for(run_pytest):
    asked = ["--fiber-audit-fail-on=warn", "-k", "soft"]

    result = run_pytest("--fiber-audit=suite.toml", *asked)

    result.assert_outcomes(failed=1, deselected=4)


def test_what_is_not_decided_is_skipped_with_the_n_that_would(run_pytest, pytester):
    probe = SUITE + '[[conditions]]\nmetric = "toy_loss"\nmax = 1e-9\n'
    run_pytest("--fiber-audit=suite.toml", suite=probe)
    (path,) = pytester.path.glob("runs/*/records.csv")
    records = read_csv(path)
    value = records[records["statistic"] == "mean"]["value"].iloc[0]
    close = SUITE + f'[[conditions]]\nmetric = "toy_loss"\nmax = {value * 1.001}\n'

    result = run_pytest("--fiber-audit=suite.toml", suite=close)

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*inconclusive: *n = * would*"])


def test_a_cell_that_fails_fails_its_test_with_the_message(run_pytest):
    result = run_pytest(
        "--fiber-audit=suite.toml", "--fiber-audit-set", "samplers.proj.crash=true", suite=SUITE
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the sampler fell over*", "pictures: *"])


def test_a_mistake_in_the_suite_is_a_usage_error_with_its_path(run_pytest):
    result = run_pytest("--fiber-audit=suite.toml", suite=SUITE + "[[conditions]]\nmax = 1\n")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*conditions[[]0]: it names no metric*"])


def test_the_fixture_runs_a_suite_once_and_asserts(run_pytest, pytester):
    pytester.makepyfile(
        """
        from fiber_audit.conditions import Condition
        from fiber_audit.check.audits import Rows
        import torch

        def test_holds(fiber_audit):
            run = fiber_audit.run("suite.toml")
            assert fiber_audit.run("suite.toml") is run
            fiber_audit.assert_holds(run, Condition("toy_loss", max=10))

        def test_fails(fiber_audit):
            run = fiber_audit.run("suite.toml")
            fiber_audit.assert_holds(run, Condition("toy_loss", max=1e-9))

        def test_contract(fiber_audit):
            fiber_audit.assert_keeps_contract("dataset", Rows(torch.zeros(2, 3)))

        def test_broken_contract(fiber_audit):
            fiber_audit.assert_keeps_contract("dataset", Rows(torch.full((2, 1, 1, 1), 255.0)))
        """
    )

    result = run_pytest()

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["E *range: images are in [[]255, 255]; data space is [[]0, 1]*"])


def test_the_plugin_loads_no_torch_unless_asked_for(run_pytest, pytester):
    pytester.makepyfile(
        """
        import sys

        def test_light():
            assert "torch" not in sys.modules
            assert "pandas" not in sys.modules
        """
    )

    run_pytest(apart=True).assert_outcomes(passed=1)
