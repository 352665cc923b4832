"""Conditions: what holds, what does not, and what cannot be told yet."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fiber_audit._judge.asked import beside
from fiber_audit._judge.baseline import read_baselines
from fiber_audit._judge.interval import Interval, decide, exit_code, worst
from fiber_audit._judge.verdicts import judge
from fiber_audit._judge.written import marked, read, write
from fiber_audit._suite.condition import Condition, sentences, unmatched
from fiber_audit.errors import DataError, SuiteError
from fiber_audit.records import frame, read_csv, to_csv


def row(audit="shape/latent/ndtm", metric="fiber_loss_rms", statistic="mean", **cells):
    extractor, prior, sampler = audit.split("/")
    cells = {"better": "lower", "axis": "fidelity", "status": "ok", "n": 16, **cells}
    return {
        "run_id": "r1",
        "audit": audit,
        "extractor": extractor,
        "prior": prior,
        "sampler": sampler,
        "metric": metric,
        "statistic": statistic,
        **cells,
    }


def one(condition, *rows):
    (verdict,) = judge(frame(rows), [condition])
    return verdict


numbers = st.floats(-1e3, 1e3)


@given(numbers, st.floats(0, 10), st.floats(0, 10), numbers)
def test_an_interval_decides_unless_it_holds_the_bound(value, below, above, bound):
    seen = Interval(value, value - below, value + above, n=16)

    status = decide(seen, high=bound).status

    holds_bound = seen.low <= bound < seen.high
    assert (status == "inconclusive") == holds_bound
    if not holds_bound:
        assert status == ("pass" if value <= bound else "fail")


@given(st.floats(0.01, 10), st.floats(0.01, 10), st.integers(2, 1000))
def test_the_needed_n_is_the_first_whose_interval_leaves_the_bound(gap, half, n):
    found = decide(Interval(0, -half, half, n), high=gap)
    if found.status == "pass":
        return

    assert found.needed is not None
    assert half * math.sqrt(n / found.needed) <= gap * (1 + 1e-9)
    if found.needed > n + 1:
        assert half * math.sqrt(n / (found.needed - 1)) > gap * (1 - 1e-9)


def test_a_value_at_its_bound_is_decided_by_no_n():
    assert decide(Interval(1, 0.9, 1.1, 8), high=1).needed is None


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [(0.08, 0.09, "pass"), (0.11, 0.13, "fail"), (0.08, 0.12, "inconclusive")],
)
def test_the_interval_is_judged_not_the_value(low, high, status):
    value = (low + high) / 2

    found = one(Condition("fiber_loss_rms", max=0.1), row(value=value, ci_low=low, ci_high=high))

    assert found.status == status


def test_a_condition_may_ask_for_the_value_alone():
    wide = row(value=0.09, ci_low=0.05, ci_high=0.2)

    assert one(Condition("fiber_loss_rms", max=0.1, decide="value"), wide).status == "pass"
    assert one(Condition("fiber_loss_rms", max=0.1), wide).status == "inconclusive"


def test_an_inconclusive_verdict_says_which_n_would_decide():
    found = one(Condition("fiber_loss_rms", max=0.1), row(value=0.09, ci_low=0.07, ci_high=0.12))

    assert found.needed == 16 * 9
    assert "n = 144 would" in found.message


def test_a_violated_condition_of_severity_warn_warns():
    found = one(Condition("fiber_loss_rms", max=0.1, severity="warn"), row(value=0.2))

    assert found.status == "warn"
    assert exit_code([found]) == 0
    assert exit_code([found], fail_on=["warn"]) == 1


def test_every_audit_that_the_filters_match_is_judged():
    rows = [
        row("shape/latent/ndtm", value=0.05),
        row("shape/flow/ndtm", value=0.2),
        row("colour/flow/ndtm", value=0.3),
    ]

    found = judge(frame(rows), [Condition("fiber_loss_rms", extractor="shape", max=0.1)])

    assert {v.audit: v.status for v in found} == {
        "shape/latent/ndtm": "pass",
        "shape/flow/ndtm": "fail",
    }


def test_per_query_rows_are_not_judged():
    rows = [row(value=0.05), row(value=9.0, query="q0")]

    assert one(Condition("fiber_loss_rms", max=0.1), *rows).status == "pass"


def test_the_headline_of_a_metric_with_one_pooled_statistic_is_that_one():
    only = row(metric="colour_kl", statistic="kl", value=0.5)

    assert one(Condition("colour_kl", max=1), only).status == "pass"


@pytest.mark.parametrize(
    ("condition", "way_out"),
    [
        (Condition("fiber_loss_rsm", max=1), "Did you mean 'fiber_loss_rms'?"),
        (Condition("fiber_loss_rms", extractor="shap", max=1), "Did you mean 'shape'?"),
        (Condition("fiber_loss_rms", statistic="medan", max=1), "Did you mean 'median'?"),
    ],
)
def test_a_condition_that_matches_nothing_is_an_error_with_the_way_out(condition, way_out):
    rows = [row(value=0.1), row(value=0.1, statistic="median")]

    found = one(condition, *rows)

    assert found.status == "error"
    assert way_out in found.message
    assert exit_code([found]) == 3


def test_an_audit_that_failed_makes_its_conditions_errors_with_its_message():
    failed = row(value=None, metric=None, statistic=None, status="error", message="it diverged")

    found = one(Condition("fiber_loss_rms", max=1), failed)

    assert found.status == "error"
    assert "it diverged" in found.message


def test_an_audit_that_was_skipped_skips_its_conditions():
    missing = row(value=None, metric=None, statistic=None, status="skipped", message="no weights")

    found = one(Condition("fiber_loss_rms", max=1), missing)

    assert found.status == "skipped"
    assert exit_code([found]) == 5


def test_an_empty_value_never_passes():
    found = one(Condition("fiber_loss_rms", max=1), row(value=None, message="one draw only"))

    assert found.status == "error"
    assert "one draw only" in found.message


def test_exit_codes_put_errors_before_failures_before_passes():
    bad = one(Condition("nothing", max=1), row(value=1.0))
    fail = one(Condition("fiber_loss_rms", max=0.5), row(value=1.0))
    good = one(Condition("fiber_loss_rms", max=1.5), row(value=1.0))
    open_ = one(Condition("fiber_loss_rms", max=1), row(value=1.0, ci_low=0.5, ci_high=1.5))

    assert [exit_code(v) for v in ([bad, fail], [fail, good], [good, open_], [])] == [3, 1, 0, 0]
    assert exit_code([good, open_], fail_on=["inconclusive"]) == 1
    assert worst(["pass", "warn", "fail"]) == "fail"


def test_a_baseline_tolerates_what_it_says_in_the_direction_of_better(tmp_path):
    (tmp_path / "main.csv").write_text(to_csv(frame([row(value=0.1)])))
    condition = Condition("fiber_loss_rms", baseline="main.csv", tolerance=0.1)
    baselines = read_baselines([condition], tmp_path)

    def status(value):
        (verdict,) = judge(frame([row(value=value)]), [condition], baselines)
        return verdict.status

    assert [status(v) for v in (0.01, 0.1, 0.109, 0.12)] == ["pass", "pass", "pass", "fail"]


def test_a_baseline_of_another_n_is_an_error_unless_allowed(tmp_path):
    (tmp_path / "main.csv").write_text(to_csv(frame([row(value=0.1, n=8)])))
    condition = Condition("fiber_loss_rms", baseline="main.csv")
    allowed = Condition("fiber_loss_rms", baseline="main.csv", allow=("n",))
    baselines = read_baselines([condition], tmp_path)

    refused, compared = judge(frame([row(value=0.1)]), [condition, allowed], baselines)

    assert refused.status == "error"
    assert "n is 8 in BASE and 16 in NEW" in refused.message
    assert compared.status == "pass"


def test_a_missing_baseline_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"main\.csv: no such file"):
        read_baselines([Condition("m", baseline="main.csv")], tmp_path)


def test_marking_fills_the_columns_and_keeps_the_input():
    records = frame([row(value=0.2), row(value=0.3, statistic="median")])
    verdicts = judge(
        records,
        [
            Condition("fiber_loss_rms", max=0.1, name="tight"),
            Condition("fiber_loss_rms", max=1, name="loose"),
        ],
    )

    out = marked(records, verdicts)

    assert out.loc[0, "condition"] == "tight; loose"
    assert list(out["status"]) == ["fail", "ok"]
    assert records["condition"].isna().all()


def test_a_condition_without_a_row_becomes_one(tmp_path):
    records = frame([row(value=0.2)])
    out = marked(records, judge(records, [Condition("nothing", max=0.1)]))

    (tmp_path / "records.csv").write_text(to_csv(out))
    last = read_csv(tmp_path / "records.csv").iloc[-1]

    assert (last["status"], last["run_id"], last["metric"]) == ("error", "r1", "nothing")


def test_verdicts_survive_their_file(tmp_path):
    records = frame([row(value=0.09, ci_low=0.07, ci_high=0.12)])
    verdicts = judge(records, [Condition("fiber_loss_rms", max=0.1), Condition("nothing", min=0)])

    path = write(verdicts, tmp_path)

    assert read(tmp_path) == verdicts
    assert "NaN" not in path.read_text()
    path.write_text(json.dumps([{"condition": {}}]))
    with pytest.raises(DataError, match="run the suite again"):
        read(tmp_path)


def test_a_condition_table_of_the_suite_is_a_condition():
    table = {"metric": "m", "extractor": "shape", "max": 1}

    assert sentences(table, "conditions[0]") == []
    assert Condition(**table) == Condition("m", extractor="shape", max=1.0)


def test_every_problem_of_a_condition_is_told_at_once_with_its_path():
    table = {"metrc": "m", "max": "high", "severity": "bad", "tolerance": 0.1}

    said = "\n".join(sentences(table, "conditions[2]"))

    assert "conditions[2].metrc: no such key. Did you mean 'metric'?" in said
    assert "conditions[2]: it names no metric" in said
    assert "conditions[2].max = 'high': give a finite number." in said
    assert "conditions[2].severity = 'bad': give one of fail, warn." in said
    assert "conditions[2].tolerance: it means something only beside baseline" in said


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"metric": "m"}, "it bounds nothing"),
        ({"metric": "m", "min": 2, "max": 1}, "min = 2 is above max = 1"),
        ({"metric": "m", "max": math.nan}, "give a finite number"),
        ({"metric": "m", "max": True}, "give a finite number"),
        ({"metric": "m", "max": 10**400}, "give a finite number"),
        ({"metric": "m", "max": 1, "name": ""}, "give a text in quotes"),
        ({"metric": 3, "max": 1}, "give a text in quotes"),
        ({"metric": "m", "max": 1, "decide": []}, "give one of interval, value"),
        ({"metric": "m", "baseline": "b.csv", "max": 1}, "make two conditions of it"),
        ({"metric": "m", "baseline": "b.csv", "allow": ["size"]}, "give a list of n, weights"),
        ({"metric": "m", "baseline": "b.csv", "allow": "n"}, "give a list of n, weights"),
        ({"metric": "m", "baseline": "b.csv", "tolerance": -1}, "give 0 or more"),
        ("m", "give a table"),
    ],
)
def test_a_condition_that_cannot_be_meant_is_refused(table, said):
    (sentence,) = sentences(table, "conditions[0]")

    assert said in sentence


def test_a_condition_from_python_is_as_strict_as_one_from_a_suite():
    with pytest.raises(SuiteError) as caught:
        Condition("m", max="high", mix=3)

    assert [p.split(":")[0] for p in caught.value.problems] == [
        "Condition.max = 'high'",
        "Condition.mix",
    ]
    with pytest.raises(SuiteError, match="it bounds nothing"):
        Condition("m")


CONDITIONS = st.builds(
    Condition,
    st.text(min_size=1),
    statistic=st.none() | st.text(min_size=1),
    seen_by=st.none() | st.text(min_size=1),
    max=st.floats(allow_nan=False, allow_infinity=False),
    name=st.text(),
    decide=st.sampled_from(["interval", "value"]),
) | st.builds(
    Condition,
    st.text(min_size=1),
    baseline=st.text(min_size=1),
    tolerance=st.floats(0, 1),
    allow=st.lists(st.sampled_from(["n", "weights", "config"]), unique=True).map(tuple),
)


@given(CONDITIONS)
def test_a_condition_of_a_resolved_suite_is_the_same_condition(condition):
    class Suite(BaseModel):
        conditions: tuple[Condition, ...]

    suite = Suite(conditions=(condition,))
    table = suite.model_dump(mode="json", exclude_none=True)

    (again,) = tomllib.loads(tomli_w.dumps(table))["conditions"]

    assert sentences(again, "") == []
    assert Condition(**again) == condition
    assert Suite.model_validate_json(suite.model_dump_json()) == suite
    assert replace(condition) == condition


def test_a_misspelt_metric_is_told_before_anything_is_drawn():
    (said,) = unmatched(Condition("fidelty", max=1), ["fidelity"], "conditions[0]")

    assert said.startswith("conditions[0].metric = 'fidelty': the suite does not measure it.")
    assert "Did you mean 'fidelity'?" in said
    assert unmatched(Condition("draws_lost", max=1), [], "conditions[0]") == []


def test_reading_a_suite_does_not_import_torch_or_pandas():
    code = "import sys, fiber_audit._suite.condition; print(*{'torch', 'pandas'} & {*sys.modules})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "\n"


VIEWS = [
    row(metric="blind_spot", value=0.1),
    row(metric="blind_spot", value=0.2, seen_by="inception"),
    row(metric="blind_spot", value=0.3, seen_by="dino"),
    row(metric="blind_spot", value=0.4, statistic="median", seen_by="dino"),
]


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        ({}, 0.1),
        ({"statistic": "mean"}, 0.1),
        ({"seen_by": "dino"}, 0.3),
        ({"seen_by": "dino", "statistic": "median"}, 0.4),
        ({"statistic": "median"}, 0.4),
    ],
)
def test_a_condition_means_the_headlines_view_unless_it_names_one(wanted, value):
    found = one(Condition("blind_spot", max=1, **wanted), *VIEWS)

    assert found.value == value


def test_a_view_that_nobody_has_is_an_error_with_the_way_out():
    found = one(Condition("blind_spot", max=1, seen_by="dinno"), *VIEWS)

    assert found.status == "error"
    assert "seen by dinno). Did you mean 'dino'?" in found.message
    assert found.condition.title == "blind_spot <= 1 (seen_by = dinno)"


def test_a_number_is_compared_with_the_same_view_of_the_baseline(tmp_path):
    (tmp_path / "main.csv").write_text(to_csv(frame(VIEWS)))
    conditions = [
        Condition("blind_spot", baseline="main.csv", seen_by=view) for view in (None, "dino")
    ]
    worse = [{**each, "value": each["value"] * (2 if each.get("seen_by") else 1)} for each in VIEWS]

    found = judge(frame(worse), conditions, read_baselines(conditions, tmp_path))

    assert [v.status for v in found] == ["pass", "fail"]


def lost(count, audit="shape/latent/ndtm"):
    return row(audit, metric="draws_lost", value=count, axis="health", unit="draws")


def test_a_lost_draw_fails_its_audit_and_a_healthy_one_is_not_told_of():
    rows = [lost(0), lost(2, "colour/latent/ndtm")]

    (found,) = judge(frame(rows), [])

    assert (found.audit, found.status) == ("colour/latent/ndtm", "fail")
    assert found.message == (
        "no draw is lost: colour/latent/ndtm has 2 draws, n = 16, which violates max 0."
    )
    assert judge(frame([lost(0)]), []) == []


def test_a_suite_says_itself_how_many_draws_may_be_lost():
    (found,) = judge(frame([lost(2)]), [Condition("draws_lost", max=2, decide="value")])

    assert found.status == "pass"


def test_a_baseline_does_not_say_how_many_draws_may_be_lost(tmp_path):
    rows = [lost(2), row(value=0.1)]
    (tmp_path / "main.csv").write_text(to_csv(frame(rows)))
    conditions = beside(frame(rows), tmp_path / "main.csv", 0.1)
    baselines = read_baselines([], tmp_path, tmp_path / "main.csv")

    found = judge(frame(rows), conditions, baselines)

    assert [(v.condition.metric, v.status) for v in found] == [
        ("fiber_loss_rms", "pass"),
        ("draws_lost", "fail"),
    ]
    assert beside(frame(rows), None, 0.1) == []


def test_baselines_of_one_name_in_two_folders_are_two(tmp_path, monkeypatch):
    condition = Condition("fiber_loss_rms", baseline="main.csv")
    for folder, value in (("suite", 0.1), ("here", 0.5)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "main.csv").write_text(to_csv(frame([row(value=value)])))
    monkeypatch.chdir(tmp_path / "here")

    baselines = read_baselines([condition], tmp_path / "suite", Path("main.csv"))
    records = frame([row(value=0.3)])
    found = judge(records, [condition, *beside(records, Path("main.csv"), 0)], baselines)

    assert [v.status for v in found] == ["fail", "pass"]


def test_a_lost_draw_is_not_another_n(tmp_path):
    (tmp_path / "main.csv").write_text(to_csv(frame([row(value=0.1, n=64), lost(0)])))
    condition = Condition("fiber_loss_rms", baseline="main.csv")
    baselines = read_baselines([condition], tmp_path)

    def status(n):
        return judge(frame([row(value=0.1, n=n), lost(2)]), [condition], baselines)[0].status

    assert [status(n) for n in (64, 62, 61)] == ["pass", "pass", "error"]


def test_a_statistic_that_is_undefined_does_not_hide_a_misspelt_one():
    rows = [row(value=0.1), row(statistic="ceiling", value=None, status="skipped")]

    found = one(Condition("fiber_loss_rms", statistic="celing", max=1), *rows)

    assert found.status == "error"
    assert "Did you mean 'ceiling'?" in found.message


def test_judged_records_are_judged_alike():
    records = frame([row(value=0.2), row(value=0.3, statistic="median")])
    conditions = [Condition("fiber_loss_rms", max=0.1), Condition("fiber_loss_rms", "p9", max=1)]

    first = judge(records, conditions)

    assert judge(marked(records, first), conditions)[0] == first[0]


def test_what_a_terminal_would_obey_is_not_written_into_the_table():
    records = frame([row(value=0.2)])

    out = marked(records, judge(records, [Condition("fiber_loss_rms", max=0.1, name="\x1b[31m")]))

    assert out.loc[0, "condition"] == r"\x1b[31m"
    assert "\x1b" not in out.loc[0, "message"]


def verdict_file(tmp_path):
    rows = [row(value=0.09, ci_low=0.07, ci_high=0.12), row("colour/latent/ndtm", value=1.0)]
    conditions = [
        Condition("fiber_loss_rms", max=0.1, name="ünit"),
        Condition("fiber_loss_rms", extractor="shape", min=0.1),
        Condition("nothing", min=0),
    ]
    return write(judge(frame(rows), conditions), tmp_path)


def test_verdicts_of_the_first_version_are_read(tmp_path):
    verdicts = read(verdict_file(tmp_path).parent)
    (tmp_path / "verdicts.json").write_text(
        json.dumps([{**asdict(v), "condition": {**asdict(v.condition)}} for v in verdicts])
    )

    assert read(tmp_path) == verdicts


def test_characters_that_no_file_holds_do_not_lose_the_verdicts(tmp_path):
    records = frame([row(value=0.2)])

    write(judge(records, [Condition("fiber_loss_rms", max=0.1, name="a\udce4\x00b")]), tmp_path)

    assert read(tmp_path)[0].condition.title == "a?\x00b"


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe[]",
        b"PK\x03\x04\0\0",
        b"[" * 100_000,
        b"null",
        b"{}",
        b"[1]",
        b'[{"condition": {"metric": "m", "max": NaN}, "audit": "", "status": "pass"}]',
    ],
)
def test_a_damaged_verdicts_file_is_one_sentence(tmp_path, damage):
    (tmp_path / "verdicts.json").write_bytes(damage)

    with pytest.raises(DataError) as caught:
        read(tmp_path)

    assert str(caught.value).startswith(f"{tmp_path / 'verdicts.json'}: not a verdicts file")
    assert "\n" not in str(caught.value)


def test_a_verdicts_file_that_is_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "verdicts.json").mkdir()

    with pytest.raises(DataError, match="not a verdicts file"):
        read(tmp_path)


JUNK = [b"\xff", b"\0", b'"', b"{", b"}", b"[", b",", b"null", b"-1", b"1e999", b"9" * 30, b"NaN"]


def test_no_damage_to_a_verdicts_file_ends_in_a_foreign_exception(tmp_path):
    path = verdict_file(tmp_path)
    whole = path.read_bytes()
    rng = random.Random(0)
    told = []
    for _ in range(100):
        start = rng.randrange(len(whole))
        end = rng.choice([start, start + 1, start + rng.randrange(40), len(whole)])
        path.write_bytes(whole[:start] + rng.choice([b"", *JUNK]) + whole[end:])
        try:
            found = read(tmp_path)
        except DataError as error:
            told.append(str(error))
        else:
            assert read(write(found, tmp_path).parent) == found

    assert len(told) > 50
    assert not any("\n" in sentence for sentence in told)
