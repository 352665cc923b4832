"""A run against an earlier one."""

from __future__ import annotations

import numpy as np
import pytest

from fiber_audit.change import Measured, change, measured, pairs_needed
from fiber_audit.compare import compare, headlines, table, update_baseline
from fiber_audit.decision import exit_code
from fiber_audit.errors import DataError, UsageError
from fiber_audit.records import frame, read_csv, to_csv
from fiber_audit.uncertainty import estimate

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


def test_references_without_a_direction_are_not_headlines():
    rows = [*run(losses(4)), {**run(losses(4))[0], "statistic": "random_pairs", "better": ""}]

    assert list(headlines(frame(rows))["statistic"]) == ["mean"]


def test_the_table_has_a_row_for_each_comparison():
    records = frame(run(losses(8)))

    found = table(compare(records, records))

    assert list(found["status"]) == ["pass"]
    assert list(table([]).columns) == list(found.columns)


def test_a_good_run_becomes_the_baseline_and_a_bad_one_does_not(tmp_path):
    records = frame(run(losses(8)))
    (tmp_path / "records.csv").write_text(to_csv(records))
    baseline = tmp_path / "baselines" / "main.csv"

    update_baseline(tmp_path, baseline)

    assert compare(read_csv(baseline), records)[0].status == "pass"
    records.loc[0, "status"] = "error"
    (tmp_path / "records.csv").write_text(to_csv(records))
    with pytest.raises(DataError, match="a baseline needs a run without any"):
        update_baseline(tmp_path, baseline)
