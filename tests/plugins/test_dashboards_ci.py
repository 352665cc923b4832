"""JUnit XML and GitHub's step summary: what a CI shows of a run."""

from __future__ import annotations

import re
from html import unescape

import pytest
from fiber_audit_dashboards import GithubSummary, JUnit
from fiber_audit_dashboards.cases import cases
from fiber_audit_dashboards.github_summary import LIMIT, within

from fiber_audit.records import frame

AUDIT, OTHER = "shape/latent/ndtm", "colour, or not/latent/ndtm"


@pytest.fixture
def junit(finished, tmp_path):
    """(audit, case) -> (kind of outcome, the case as junitparser reads it)."""
    junitparser = pytest.importorskip("junitparser")

    def read(**options):
        (path,) = JUnit(**options).export(finished.records, finished.path, tmp_path)
        suites = junitparser.JUnitXml.fromfile(str(path))
        return suites, {
            (suite.name, case.name): (type(case.result[0]).__name__ if case.result else "", case)
            for suite in suites
            for case in suite
        }

    return read


def test_junit_tells_failure_error_and_skipped_apart(junit):
    _, found = junit()
    kinds = {key: kind for key, (kind, _) in found.items()}

    assert kinds[AUDIT, "fiber_loss_rms <= 1"] == ""
    assert kinds[AUDIT, "0.9 <= diversity (extractor = shape)"] == "Failure"
    assert kinds[AUDIT, "diverse enough"] == ""
    assert kinds[AUDIT, "kernel_distance <= -2.5e-05"] == "Skipped"
    assert kinds[AUDIT, "broken <= 1 (extractor = shape)"] == "Error"
    assert kinds[AUDIT, "diversity <= 1 (statistic = floor, extractor = shape)"] == "Skipped"
    assert kinds[OTHER, "nothing <= 1"] == "Error"
    assert kinds[OTHER, "every metric was measured"] == "Error"


def test_junit_can_fail_what_is_not_decided(junit):
    _, found = junit(inconclusive_fails=True)

    assert found[AUDIT, "kernel_distance <= -2.5e-05"][0] == "Failure"


def test_junit_counts_are_those_of_its_cases(junit):
    suites, found = junit()
    kinds = [kind for kind, _ in found.values()]

    assert suites.tests == len(found)
    assert suites.failures == kinds.count("Failure")
    assert suites.errors == kinds.count("Error")
    assert suites.skipped == kinds.count("Skipped")


def test_a_junit_failure_says_value_interval_and_bound(junit):
    _, found = junit()
    _, case = found[AUDIT, "0.9 <= diversity (extractor = shape)"]

    message = case.result[0].message
    properties = {p.get("name"): float(p.get("value")) for p in case._elem.iter("property")}

    assert re.search(r"0\.6667 \[0\.4762, 0\.8571\].*min 0\.9", message)
    assert properties["value"] == 2 / 3
    assert properties["low"] == 0.9


def test_a_junit_warning_is_a_passed_case_that_tells_of_it(junit):
    _, found = junit()

    assert "violates min 0.9" in found[AUDIT, "diverse enough"][1].system_out


def test_junit_text_holds_what_xml_cannot(finished, tmp_path, junit):
    finished.records["message"] = finished.records["message"].str.replace("no", "\x1b[31mno\x00")

    _, found = junit()

    assert found[AUDIT, "every metric was measured"][0] == "Error"


def test_case_names_are_the_same_in_every_run(make_run):
    first, second = make_run(), make_run(1.5, "2026-11-26T01:02:03Z")

    names = [[(c.audit, c.name) for c in cases(r.records, r.path)] for r in (first, second)]

    assert names[0] == names[1]


def test_the_step_summary_is_a_table_that_no_message_breaks(finished, tmp_path):
    summary, _ = GithubSummary().export(finished.records, finished.path, tmp_path)

    rows = [line for line in summary.read_text().splitlines() if line.startswith("|")]
    verdicts = [row for row in rows if row.count("|") == 5]
    numbers = [row for row in rows if row.count("|") == 7]
    assert len(verdicts) + len(numbers) == len(rows)
    (broken,) = {unescape(row.split("|")[4]).strip() for row in verdicts if "measured" in row}
    assert broken == 'no | luck <b>"at all"</b>'
    assert "<b>" not in summary.read_text()


def test_the_step_summary_shows_what_did_not_pass_first(finished, tmp_path):
    summary, _ = GithubSummary().export(finished.records, finished.path, tmp_path)

    signs = [line[2] for line in summary.read_text().splitlines() if line[:2] == "| "]
    verdicts = signs[1 : 1 + len(cases(finished.records, finished.path))]

    assert "✅" in verdicts
    assert "✅" not in verdicts[: verdicts.index("✅")]
    assert set(verdicts[verdicts.index("✅") :]) == {"✅"}


def test_the_step_summary_links_the_report_where_it_will_be(finished, tmp_path):
    exporter = GithubSummary(report_url="https://ci/report.html")
    summary, _ = exporter.export(finished.records, finished.path, tmp_path)

    assert "[report with pictures](https://ci/report.html)" in summary.read_text()


def test_a_summary_stays_under_the_limit_and_says_what_it_cut():
    lines = ["é" * 1000] * 2000

    text = within(lines)

    assert len(text.encode()) <= LIMIT < 1024 * 1024
    cut = int(re.search(r"_(\d+) more lines", text).group(1))
    assert text.count("é" * 1000) + cut == 2000


def test_annotations_are_one_escaped_line_for_each_thing_to_look_at(finished, tmp_path):
    _, annotations = GithubSummary().export(finished.records, finished.path, tmp_path)

    lines = annotations.read_text().splitlines()

    found = [re.fullmatch(r"::(error|warning|notice) title=[^:,]+::(.+)", line) for line in lines]
    assert all(found)
    assert {match.group(1) for match in found} == {"error", "warning", "notice"}


def test_a_run_that_failed_as_a_whole_still_has_a_summary_and_cases(finished, tmp_path):
    rows = finished.records[finished.records["status"] == "error"]
    broken = frame(rows.dropna(axis=1, how="all").to_dict("records"))

    GithubSummary().export(broken, tmp_path, tmp_path)
    JUnit().export(broken, tmp_path, tmp_path)

    assert "💥" in (tmp_path / "summary.md").read_text()
    assert "<error" in (tmp_path / "junit.xml").read_text()
