"""JUnit XML and GitHub's step summary: what a CI shows of a run."""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree

import pytest
from fiber_audit_dashboards.cases import cases, verdicts
from fiber_audit_dashboards.github_summary import LIMIT, GithubSummary, within
from fiber_audit_dashboards.junit import JUnit
from fiber_audit_dashboards.markdown import address, cell, command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fiber_audit import Condition, DataError
from fiber_audit._judge import written
from fiber_audit._judge.verdicts import judge
from fiber_audit.check.exporter import example_records
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
    assert sum(suite.skipped for suite in suites) == kinds.count("Skipped")


def test_a_junit_failure_says_value_interval_and_bound(junit):
    _, found = junit()
    _, case = found[AUDIT, "0.9 <= diversity (extractor = shape)"]

    message = case.result[0].message
    numbers = dict(line.split(" = ") for line in case.system_out.splitlines())

    assert re.search(r"0\.6667 \[0\.4762, 0\.8571\].*min 0\.9", message)
    assert float(numbers["value"]) == 2 / 3
    assert float(numbers["low"]) == 0.9


def test_a_junit_warning_is_a_passed_case_that_tells_of_it(junit):
    _, found = junit()

    assert "violates min 0.9" in found[AUDIT, "diverse enough"][1].system_out


def test_junit_text_holds_what_xml_cannot(finished, tmp_path, junit):
    finished.records["message"] = finished.records["message"].str.replace("no", "\x1b[31mno\x00")

    _, found = junit()

    assert found[AUDIT, "every metric was measured"][0] == "Error"


# What the schema of Jenkins' xUnit plugin (junit-10) allows: tag -> required attributes, optional
# ones, children. Times, counts and texts are strings, a suite's and the root's time is a number.
TIMED = re.compile(r"[0-9.,]*")
OUTCOME = (set(), {"type", "message"}, set())
SCHEMA = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {
            "group",
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
        },
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"},
        {"time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": OUTCOME,
    "error": OUTCOME,
    "skipped": OUTCOME,
    "system-out": (set(), set(), set()),
}


def faults(element):
    """Where an element and what is in it differ from the schema."""
    required, optional, children = SCHEMA[element.tag]
    given = set(element.attrib)
    wrong = [f"{element.tag} lacks {name}" for name in required - given]
    wrong += [f"{element.tag} has {name}" for name in given - required - optional]
    wrong += [f"{child.tag} in {element.tag}" for child in element if child.tag not in children]
    if element.tag != "testcase" and not TIMED.fullmatch(element.get("time", "")):
        wrong.append(f"time of {element.tag}")
    return wrong + [fault for child in element for fault in faults(child)]


def test_junit_is_valid_against_the_schema_of_jenkins_xunit(finished, tmp_path):
    (path,) = JUnit().export(finished.records, finished.path, tmp_path)

    root = ElementTree.parse(path).getroot()

    assert faults(root) == []
    assert {element.tag for element in root.iter()} == SCHEMA.keys()


ANY = st.text(st.characters(), min_size=1, max_size=12)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ANY, ANY, ANY, ANY)
def test_junit_is_valid_for_every_name_and_message(tmp_path, suite, audit, title, message):
    run = {"run_id": "r", "started_at": "2026-01-02T03:04:05Z", "suite": suite, "audit": audit}
    row = {**run, "sampler": "s", "metric": "m", "status": "error", "message": message}
    records = frame([row, {**row, "statistic": "mean", "value": 1.0, "status": "ok"}])
    written.write(judge(records, [Condition("m", max=0, decide="value", name=title)]), tmp_path)

    (path,) = JUnit().export(records, tmp_path, tmp_path)
    GithubSummary().export(records, tmp_path, tmp_path)

    root = ElementTree.parse(path).getroot()
    assert faults(root) == []
    assert [case.get("classname") for case in root.iter("testcase")] == [records["audit"][0]] * 2


def test_two_conditions_of_one_name_are_two_cases(finished, tmp_path):
    conditions = [Condition("fiber_loss_rms", max=bound, name="same") for bound in (1, 1e-9)]
    written.write(judge(finished.records, conditions), tmp_path)

    found = {(c.audit, c.name): c.status for c in cases(finished.records, tmp_path)}

    assert found[AUDIT, "same"] == "pass"
    assert found[AUDIT, "same (2)"] == "fail"


def test_a_damaged_verdicts_file_is_told_in_a_sentence(tmp_path):
    for text in ("", "[1]", "{}", "null", '[{"condition": {}}]', "\udcff", "[" * 5000):
        (tmp_path / "verdicts.json").write_text(text, errors="surrogateescape")
        if text == "{}":
            assert verdicts(tmp_path) == []
            continue
        with pytest.raises(DataError, match=r"verdicts\.json: not a verdicts file"):
            verdicts(tmp_path)


def test_markup_from_outside_is_shown_not_obeyed(tmp_path):
    summary, _ = GithubSummary().export(example_records(), tmp_path, tmp_path)

    text = summary.read_text()
    assert not re.search(r"<b>|\[x\]|\x1b|\\x1b(?!\[)|`|\$", text)
    assert '=1+1 | <b>"[x](y)"</b> & ]]> `$`' in unescape(text)
    assert cell("a_b *c* @d #1 !e ~f~") == "a_b &#42;c&#42; &#64;d &#35;1 &#33;e &#126;f&#126;"
    assert address("https://ci/x)y <z>") == "https://ci/x%29y%20%3Cz%3E"
    assert command("error", "a\n::b", "c\r\n::d").count("\n") == 1


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
