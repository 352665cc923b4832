"""A run against an earlier one."""

from __future__ import annotations

import numpy as np
import pytest

from fiber_audit._judge.baseline import read_baseline, update_baseline
from fiber_audit._judge.change import Measured, change, measured, pairs_needed
from fiber_audit._judge.compare import compare, table
from fiber_audit._judge.interval import exit_code
from fiber_audit.errors import DataError, UsageError
from fiber_audit.measuring import estimate
from fiber_audit.records import frame, to_csv
from fiber_audit.records import write as write_records

AUDIT = "shape/latent/ndtm"


def run(losses, audit=AUDIT, better="lower", **cells):
    """The records of one audit from its per-query fiber losses."""
    shared = {
        "audit": audit,
        "metric": "fiber_loss_rms",
        "statistic": "mean",
        "better": better,
        "status": "ok",
        "n": len(losses),
        "weights_sha256": "w",
        "config_hash": "c",
        **cells,
    }
    found = estimate(np.asarray(losses))
    pooled = {
        "value": found.value,
        "stderr": found.stderr,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
    }
    per_query = [{"query": f"q{i}", "value": float(v)} for i, v in enumerate(losses)]
    return [{**shared, **pooled}, *({**shared, **row, "n": 4} for row in per_query)]


def losses(n, seed=0, spread=0.3):
    return np.random.default_rng(seed).lognormal(np.log(0.1), spread, n)


def test_a_run_compared_with_itself_is_all_equal():
    records = frame([*run(losses(16)), *run(losses(2), "colour/latent/ndtm")])

    rows = compare(records, records)

    assert [(r.status, r.change) for r in rows] == [("pass", 0.0), ("pass", 0.0)]
    assert exit_code(rows) == 0


def test_a_fiber_loss_that_is_20_percent_worse_fails_and_names_the_audit():
    values = losses(16)

    (row,) = compare(frame(run(values)), frame(run(1.2 * values)))

    assert row.status == "fail"
    assert AUDIT in row.message
    assert row.change == pytest.approx(0.2)
    assert exit_code([row]) == 1


def test_a_fiber_loss_that_is_20_percent_better_passes():
    values = losses(16)

    (row,) = compare(frame(run(values)), frame(run(0.8 * values)))

    assert row.status == "pass"


def test_a_score_of_which_more_is_better_fails_when_it_falls():
    values = losses(16)
    base = frame(run(values, better="higher"))

    assert compare(base, frame(run(0.8 * values, better="higher")))[0].status == "fail"
    assert compare(base, frame(run(1.2 * values, better="higher")))[0].status == "pass"


def test_too_few_draws_are_inconclusive_and_the_n_that_they_ask_for_decides():
    mean, spread = 0.1, 0.03
    noise = np.array([-1.0, 1.0]) * spread / np.sqrt(2)
    few = np.resize(noise, 4)
    (row,) = compare(frame(run(np.full(4, mean))), frame(run(mean * 1.2 + few)))
    assert row.status == "inconclusive"
    assert row.needed is not None
    assert f"n = {row.needed} queries would decide it" in row.message
    assert exit_code([row]) == 0

    many = np.resize(noise, row.needed + row.needed % 2)
    (again,) = compare(frame(run(np.full(len(many), mean))), frame(run(mean * 1.2 + many)))

    assert again.status == "fail"


def test_one_query_is_too_few_to_tell():
    (row,) = compare(frame(run([0.1])), frame(run([0.2])))

    assert (row.status, row.needed) == ("inconclusive", 2)


def test_pairing_cancels_the_spread_of_the_queries():
    values = losses(16, spread=1.0)
    base, new = frame(run(values)), frame(run(1.2 * values))
    pooled = [records[records["query"].isna()] for records in (base, new)]

    (paired,) = compare(base, new)
    (unpaired,) = compare(*pooled)

    assert paired.paired
    assert not unpaired.paired
    assert unpaired.status == "inconclusive"
    assert paired.high - paired.low < 0.3 * (unpaired.high - unpaired.low)


def test_queries_are_paired_by_id_not_by_order():
    records = run(losses(8))
    shuffled = [records[0], *reversed(records[1:])]

    (row,) = compare(frame(records), frame(shuffled))

    assert row.paired
    assert row.difference == 0


def test_a_headline_that_is_not_the_mean_of_its_queries_is_not_paired():
    records = run(losses(8))
    records[0]["value"] *= 1.5
    table_ = frame(records)

    assert measured(table_, table_.iloc[0]).queries == {}


def test_the_paired_interval_holds_the_true_change_95_times_in_100():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        base, new = rng.normal(1, 1, 6), rng.normal(1.5, 1, 6)
        before, after = (
            Measured(v.mean(), None, 6, dict(zip("abcdef", v, strict=True))) for v in (base, new)
        )
        found = change(before, after).interval
        inside += found.low <= 0.5 <= found.high

    assert 0.92 <= inside / 400 <= 0.98


def test_no_n_decides_a_change_that_is_just_what_is_tolerated():
    assert pairs_needed(spread=1.0, gap=0.0, n=8) is None


@pytest.mark.parametrize(
    ("what", "cells"), [("weights", {"weights_sha256": "v"}), ("config", {"config_hash": "d"})]
)
def test_runs_that_differ_are_refused_until_it_is_allowed_by_name(what, cells):
    base, new = frame(run(losses(8))), frame(run(losses(8), **cells))

    with pytest.raises(UsageError, match=rf"{AUDIT}: {what} is . in BASE.*--allow {what}"):
        compare(base, new)

    assert compare(base, new, allow=[what])[0].status == "pass"


def test_runs_of_different_n_are_refused_until_it_is_allowed_by_name():
    base, new = frame(run(losses(8))), frame(run(losses(16)))

    with pytest.raises(UsageError, match="n is 8 in BASE and 16 in NEW"):
        compare(base, new)

    assert not compare(base, new, allow=["n"])[0].paired


def test_a_run_that_lost_draws_is_compared_and_fails_for_that():
    def records(n, count):
        lost = {"audit": AUDIT, "metric": "draws_lost", "statistic": "mean", "value": float(count)}
        rows = [{**r, "n": n if "query" not in r else r["n"]} for r in run(losses(8))]
        return frame([*rows, {**lost, "better": "lower", "status": "ok", "n": 32}])

    found = compare(records(32, 0), records(30, 2))

    assert [(row.metric, row.status) for row in found] == [
        ("fiber_loss_rms", "pass"),
        ("draws_lost", "fail"),
    ]


def test_an_audit_that_failed_in_the_new_run_is_an_error_with_its_message():
    error = {"audit": AUDIT, "status": "error", "message": "it diverged"}

    (row,) = compare(frame(run(losses(8))), frame([error]))

    assert row.status == "error"
    assert "it diverged" in row.message
    assert exit_code([row]) == 3


def test_an_audit_that_only_the_new_run_has_is_skipped():
    base = frame(run(losses(8)))
    new = frame([*run(losses(8)), *run(losses(8), "colour/latent/ndtm")])

    assert [row.status for row in compare(base, new)] == ["pass", "skipped"]


def test_two_runs_without_numbers_are_refused():
    with pytest.raises(UsageError, match="two finished runs"):
        compare(frame([]), frame([]))


def test_a_zero_baseline_has_no_relative_change():
    (row,) = compare(frame(run(np.zeros(8))), frame(run(losses(8))))

    assert row.change is None
    assert row.status == "fail"


def test_references_without_a_direction_are_not_compared():
    rows = [*run(losses(4)), {**run(losses(4))[0], "metric": "random_pairs", "better": ""}]

    found = compare(frame(rows), frame(rows))

    assert [row.metric for row in found] == ["fiber_loss_rms"]


def test_views_of_other_extractors_are_not_mixed_up():
    mine, theirs = run(losses(8)), run(2 * losses(8), seen_by="dino")
    worse = run(3 * losses(8), seen_by="dino")

    (row,) = compare(frame([*theirs, *mine]), frame([*mine, *worse]))

    assert (row.seen_by, row.difference, row.paired) == (None, 0, True)


def test_a_headline_that_only_another_extractor_sees_says_so():
    records = frame(run(losses(8), seen_by="dino"))

    (row,) = compare(records, records)

    assert row.seen_by == "dino"
    assert "fiber_loss_rms (mean, seen by dino) of" in row.message


@pytest.mark.parametrize("paired", [True, False])
def test_a_change_that_no_float_holds_is_an_error_in_a_sentence(paired):
    base, new = ([{**r, "value": v} for r in run(losses(4))] for v in (-1e308, 1e308))
    kept = slice(None) if paired else slice(1)

    (row,) = compare(frame(base[kept]), frame(new[kept]))

    assert row.status == "error"
    assert "no float holds the change from -1e+308 to 1e+308." in row.message
    assert exit_code([row]) == 3


def test_the_message_of_a_number_that_is_missing_is_that_of_what_failed():
    rows = [
        {"audit": AUDIT, "metric": "other", "status": "ok", "message": "over 3 of 4 draws"},
        {"audit": AUDIT, "metric": "fiber_loss_rms", "status": "error", "message": "it diverged"},
    ]

    (row,) = compare(frame(run(losses(8))), frame(rows))

    assert "it diverged" in row.message


def test_the_table_has_a_row_for_each_comparison():
    records = frame(run(losses(8)))

    found = table(compare(records, records))

    assert list(found["status"]) == ["pass"]
    assert list(table([]).columns) == list(found.columns)


@pytest.fixture
def finished(tmp_path):
    """A run directory and its records."""
    records = frame(run(losses(8)))
    write_records(records, tmp_path / "run")
    return tmp_path / "run", records


def test_a_good_run_becomes_the_baseline_and_a_bad_one_does_not(finished, tmp_path):
    path, records = finished
    baseline = tmp_path / "baselines" / "main.csv"

    update_baseline(path, baseline)

    assert compare(read_baseline(baseline), records)[0].status == "pass"
    records.loc[0, "status"] = "error"
    write_records(records, path)
    with pytest.raises(DataError, match="a baseline needs a run without any"):
        update_baseline(path, baseline)


def test_a_baseline_that_was_cut_is_refused(finished, tmp_path):
    path, records = finished
    baseline = update_baseline(path, tmp_path / "main.csv")
    assert read_baseline(baseline).equals(records)

    baseline.write_text("".join(baseline.read_text().splitlines(keepends=True)[:-1]))

    with pytest.raises(DataError, match=r"it has 8 rows, and main\.json beside it tells of 9"):
        read_baseline(baseline)


def test_a_baseline_that_a_spreadsheet_saved_again_is_read(finished, tmp_path):
    path, records = finished
    baseline = update_baseline(path, tmp_path / "main.csv")

    baseline.write_bytes(b"\xef\xbb\xbf" + baseline.read_bytes().replace(b"\n", b"\r\n"))

    assert read_baseline(baseline).equals(records)


def test_a_baseline_is_replaced_with_what_tells_its_rows(finished, tmp_path):
    path, _ = finished
    baseline = update_baseline(path, tmp_path / "main.csv")
    more = frame(run(losses(16)))

    write_records(more, path)
    update_baseline(path, baseline)

    assert read_baseline(baseline).equals(more)


@pytest.mark.parametrize("text", ["[1]", "{", '{"rows": 3}', ""])
def test_a_file_of_someone_else_beside_a_baseline_is_left_alone(finished, tmp_path, text):
    path, records = finished
    other = tmp_path / "main.json"
    other.write_text(text)

    baseline = update_baseline(path, tmp_path / "main.csv")

    assert other.read_text() == text
    assert read_baseline(baseline).equals(records)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("main.csv", None),
        ("a\0b.csv", None),
        ("n" * 300 + ".csv", None),
        ("main.csv", b""),
        ("main.csv", b"version https://git-lfs.github.com/spec/v1\n"),
        ("main.csv", b"\xff\xfe\0\0"),
        ("main.csv", to_csv(frame(run(losses(2)))).encode()[:-40]),
        ("main.csv", b"audit,metric,statistic,value\na,m,mean,much\n"),
    ],
)
def test_what_is_no_baseline_is_one_sentence(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError) as caught:
        read_baseline(tmp_path / name)

    assert len(str(caught.value).splitlines()) == 1


def test_a_baseline_of_the_first_schema_is_compared(tmp_path):
    rows = [{**each, "schema_version": 1} for each in run(losses(8))]
    old = frame(rows).drop(columns="seen_by")
    (tmp_path / "main.csv").write_text(old.to_csv(index=False))

    (row,) = compare(read_baseline(tmp_path / "main.csv"), frame(run(losses(8))))

    assert (row.status, row.paired, row.difference) == ("pass", True, 0)


def test_the_command_tells_each_comparison_on_a_line(finished, command):
    path, _ = finished
    worse = [*run(1.5 * losses(8)), *run(losses(8), "a\x1b[31m\nb/latent/ndtm")]
    write_records(frame(worse), path.with_name("worse"))

    done = command("compare", str(path), str(path.with_name("worse")), toy=False)

    assert done.returncode == 1, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["fail", "skipped"]
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("damage", [slice(-40), slice(0)])
def test_the_command_refuses_records_that_are_damaged(finished, command, damage):
    path, _ = finished
    other = path.with_name("main.csv")
    other.write_bytes((path / "records.csv").read_bytes()[damage])

    done = command("compare", str(path), str(other), toy=False)

    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1
