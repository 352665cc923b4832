"""The pytest plugin, in a pytest of its own on the toy world."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_suite import TOY_SUITE

from fiber_audit._run import Options, run
from fiber_audit._suite.read import read
from fiber_audit.records import read as read_records

pytest_plugins = ["pytester"]

TOY = Path(__file__).parent / "toy.py"
SUITE = TOY_SUITE
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
metric = "toy_loss"
statistic = "meen"
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

    def call_pytest(*arguments, suite=SUITE + CONDITIONS, apart=False, cache=False):
        if suite is not None:
            pytester.makefile(".toml", suite=suite)
        call = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
        plugin = ["-p", "fiber_audit.pytest_plugin", f"--fiber-audit-plugin={TOY}"]
        keep = [] if cache else ["-p", "no:cacheprovider"]
        return call(*keep, "-rs", *plugin, *arguments)

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
            "suite.toml::toy_loss <= 1 (statistic = meen) FAILED*",
        ]
    )
    result.stdout.fnmatch_lines(
        [
            "toy_loss <= 1e-09: two/gauss/proj has * [[]*, *] feature, n = *violates max 1e-09.",
            "pictures: runs/toy-*/report.html",
        ]
    )
    result.stdout.fnmatch_lines(["*Did you mean 'mean'?*"])
    result.stdout.fnmatch_lines(["*= fiber-audit =*", "warn: soft: *violates max 1e-09."])


def test_warnings_fail_where_it_is_asked_for(run_pytest):
    asked = ["--fiber-audit-fail-on=warn", "-k", "soft"]

    result = run_pytest("--fiber-audit=suite.toml", *asked)

    result.assert_outcomes(failed=1, deselected=4)


def test_what_is_not_decided_is_skipped_with_the_n_that_would(run_pytest, pytester):
    probe = SUITE + '[[conditions]]\nmetric = "toy_loss"\nmax = 1e-9\n'
    run_pytest("--fiber-audit=suite.toml", suite=probe)
    (path,) = pytester.path.glob("runs/*")
    records = read_records(path)
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


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "[[conditions]]\nmetric = 'toy_lose'\nmax = 1\n",
            "*conditions[[]0].metric*'toy_loss'[?]*",
        ),
        ("[[conditions]]\nmetric = 'toy_loss'\n", "*conditions[[]0]: it bounds nothing*"),
    ],
)
def test_a_mistake_in_a_condition_is_told_before_anything_is_drawn(
    run_pytest, pytester, more, said
):
    result = run_pytest("--fiber-audit=suite.toml", suite=SUITE + more)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])
    assert not (pytester.path / "runs").exists()


ODD = {
    "brackets [a]": "suite.toml::brackets [a]",
    "[": "suite.toml::[",
    "two :: parts::": "suite.toml::two :: parts::",
    "f::()": r"suite.toml::f::\x28)",
    "a/b\\\\c.py": r"suite.toml::a/b\\c.py",
    "größe ≤ 1 ✓": "suite.toml::größe ≤ 1 ✓",
    "line\\nfeed\\u001b[31m": r"suite.toml::line\nfeed\x1b[31m",
    "every audit finishes": "suite.toml::every audit finishes (2)",
    "x": "suite.toml::x",
}
"""Name of a condition, as in a TOML text -> the id of its test."""
ODD_SUITE = SUITE + "".join(
    f'[[conditions]]\nmetric = "toy_loss"\nmax = 1e-9\nname = "{name}"\n' for name in ODD
)


def failed(result):
    return [line.rpartition(" FAILED")[0] for line in result.outlines if " FAILED " in line]


def test_ids_can_be_passed_back_whatever_a_condition_is_called(run_pytest):
    ids = [*ODD.values()]
    assert failed(run_pytest("-v", "--fiber-audit=suite.toml", suite=ODD_SUITE)) == ids

    again = run_pytest("-v", *ids, suite=ODD_SUITE)

    again.assert_outcomes(failed=len(ids))
    assert failed(again) == ids
    run_pytest(ids[2], suite=ODD_SUITE).assert_outcomes(failed=1)


def test_the_tests_that_failed_last_are_run_again(run_pytest):
    asked = ["--fiber-audit=suite.toml", "--lf"]
    run_pytest("--fiber-audit=suite.toml", suite=ODD_SUITE, cache=True)

    result = run_pytest(*asked, suite=ODD_SUITE, cache=True)
    result.assert_outcomes(failed=len(ODD), deselected=1)

    run_pytest(
        "suite.toml::x", suite=ODD_SUITE.replace('"x"', '"x"\nseverity = "warn"'), cache=True
    )
    run_pytest(*asked, suite=ODD_SUITE, cache=True).assert_outcomes(
        failed=len(ODD) - 1, deselected=2
    )


def test_a_suite_is_a_file_of_tests_beside_others(run_pytest, pytester):
    pytester.makepyfile("def test_mine(): pass\ndef test_other(): pass")
    suite = SUITE + CONDITIONS

    run_pytest("suite.toml", suite=suite).assert_outcomes(passed=3, failed=2)
    mine = "test_a_suite_is_a_file_of_tests_beside_others.py::test_mine"
    run_pytest(mine, "suite.toml::soft").assert_outcomes(passed=2)
    run_pytest("suite.toml", "suite.toml::soft").assert_outcomes(passed=3, failed=2)
    run_pytest("-k", "soft or mine", "--fiber-audit", "./suite.toml").assert_outcomes(
        passed=2, deselected=5
    )


def test_a_test_that_a_suite_does_not_have_is_a_usage_error(run_pytest):
    result = run_pytest("suite.toml::sofd")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*suite.toml: it has no test 'sofd'. Did you mean 'soft'?*"])


def test_a_suite_in_another_folder_finds_its_baseline(run_pytest, pytester):
    run_pytest("--fiber-audit=suite.toml", "--fiber-audit-out=first", suite=SUITE)
    (folder,) = pytester.path.glob("first/*")
    there = pytester.mkdir("audits")
    (there / "main.csv").write_bytes((folder / "records.csv").read_bytes())
    beside = SUITE + '[[conditions]]\nmetric = "toy_loss"\nbaseline = "main.csv"\n'
    (there / "far.toml").write_text(beside)

    result = run_pytest("audits/far.toml", "-v", suite=None)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["audits/far.toml::toy_loss within 0.05 of main.csv PASSED*"])


def test_a_lost_draw_fails_the_test_on_the_run(run_pytest):
    result = run_pytest(
        "--fiber-audit=suite.toml", "--fiber-audit-set=samplers.proj.diverge_at=1", suite=SUITE
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["no draw is lost: two/gauss/proj has * draws*violates max 0."])


def test_a_mistake_in_the_suite_is_a_usage_error_with_its_path(run_pytest):
    result = run_pytest("--fiber-audit=suite.toml", suite=SUITE + "[[conditions]]\nmax = 1\n")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*conditions[[]0]: it names no metric*"])


def test_the_fixture_runs_a_suite_once_and_asserts(run_pytest, pytester):
    pytester.makepyfile(
        """
        from fiber_audit import Condition
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
            fiber_audit.assert_keeps_contract("dataset", Rows(torch.randn(6, 3)))

        def test_broken_contract(fiber_audit):
            fiber_audit.assert_keeps_contract("dataset", Rows(torch.full((2, 1, 1, 1), 255.0)))
        """
    )

    result = run_pytest()

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["E *has values in [[]255, 255]; images are in [[]0, 1]*"])


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
