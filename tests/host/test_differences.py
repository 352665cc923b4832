"""Differences of audits: paired on the same queries and noise, as records, in conditions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from toy_suite import TOY_SUITE

from fiber_audit._judge.verdicts import judge
from fiber_audit._run import Options, run
from fiber_audit._score.differences import subtracted
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.condition import Condition, sentences
from fiber_audit._suite.minus import Minus, statistic_minus
from fiber_audit._suite.read import read
from fiber_audit.contracts import Statistic
from fiber_audit.errors import SuiteError
from fiber_audit.measuring import measured, measured_ratio, random_pairs
from fiber_audit.records import frame

TWO = (
    TOY_SUITE
    + """
[samplers.half]
use = "toy-projecting"
strength = 0.5
[[conditions]]
metric = "toy_loss"
sampler = "half"
minus = { sampler = "proj" }
max = 0.1
"""
)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The toy suite with two samplers, of which one is on the fiber."""
    folder = tmp_path_factory.mktemp("differences")
    (folder / "toy.toml").write_text(TWO)
    catalogue = Catalogue.load(extra=[str(Path(__file__).with_name("toy.py"))])
    return run(read(str(folder / "toy.toml"), catalogue), catalogue, Options(folder / "run"))


def told(records, statistic):
    (row,) = [row for _, row in records.iterrows() if row["statistic"] == statistic]
    return row


def test_an_audit_less_the_one_with_the_first_sampler_is_a_record_with_an_interval(done):
    records = done.records
    row = told(records, "mean minus sampler proj")
    means = records[(records["statistic"] == "mean") & records["query"].isna()]
    values = means[means["metric"] == "toy_loss"].set_index("sampler")["value"]
    own = records[records["query"].notna()].pivot(index="query", columns="sampler", values="value")
    apart = (own["half"] - own["proj"]).to_numpy(float)

    assert row["audit"] == "two/gauss/half"
    assert row["value"] == pytest.approx(values["half"] - values["proj"])
    assert row["stderr"] == pytest.approx(stats.sem(apart))
    assert row["ci_low"] < row["value"] < row["ci_high"]
    assert (row["unit"], row["better"], row["n"]) == ("feature", "lower", 5)
    assert row["message"] == "less two/gauss/proj, query by query"


def test_a_condition_on_the_difference_judges_the_audits_that_have_one(done):
    (verdict,) = [v for v in done.verdicts if v.condition.minus]

    assert (verdict.audit, verdict.status) == ("two/gauss/half", "fail")
    assert verdict.condition.title == "toy_loss minus sampler proj <= 0.1 (sampler = half)"
    assert told(done.records, "mean minus sampler proj")["status"] == "fail"
    again = json.loads((done.path / "verdicts.json").read_text())[0]
    assert again["condition"]["minus"] == {"sampler": "proj"}


def test_a_condition_may_ask_for_the_difference_the_other_way_round(done):
    columns = [c for c in done.records if c not in ("condition", "status")]
    other = Condition("toy_loss", minus={"sampler": "half"}, max=0)
    (verdict,) = judge(done.records[columns].assign(condition=None, status="ok"), [other])

    assert verdict.status == "error"  # the run was not asked for it
    assert "has no toy_loss (mean minus sampler half)" in verdict.message


@pytest.mark.parametrize(
    ("minus", "said"),
    [
        ({"sampler": "ndtm"}, "no audit has sampler = 'ndtm'"),
        ({"extractor": "two"}, "every audit that it matches is the one to take away"),
    ],
)
def test_a_difference_that_cannot_be_is_an_error_in_words(done, minus, said):
    (verdict,) = judge(done.records, [Condition("toy_loss", minus=minus, max=0)])
    assert verdict.status == "error"
    assert said in verdict.message


@pytest.mark.parametrize("minus", [{}, {"query": "a"}, {"sampler": 1}, "ndtm", {"sampler": ""}])
def test_a_minus_that_names_no_audit_is_told_where_it_stands(minus):
    (said,) = sentences({"metric": "toy_loss", "max": 1, "minus": minus}, "conditions[0]")
    assert said.startswith("conditions[0].minus")
    with pytest.raises(SuiteError):
        Condition("toy_loss", max=1, minus=minus)


def test_a_minus_names_the_other_audit():
    minus = Minus(extractor="twin", sampler="dps")
    assert minus.other("shape", "latent", "ndtm") == ("twin", "latent", "dps")
    assert statistic_minus("mean", minus) == "mean minus extractor twin, sampler dps"
    condition = Condition("m", statistic="median", minus=minus, min=0)
    assert condition.record == "median minus extractor twin, sampler dps"
    assert Condition(**condition.table()) == condition


def fibers(rng, q, off):
    """Two samplers on the same queries and noise; the second is farther by `off` of the first."""
    features = rng.normal(size=(q, 3))
    shared = np.exp(0.4 * rng.normal(size=(q, 1))) * rng.gamma(9, 1 / 9, size=(q, 4))
    other = shared * (1 + off * rng.gamma(4, 1 / 4, size=(q, 4)))
    null = random_pairs(features, rng)
    first, second = (measured_ratio("mean", x, null, pairs=True) for x in (shared, other))
    return first, second


def test_the_paired_interval_covers_the_difference_and_is_far_narrower_than_two_intervals():
    rng = np.random.default_rng(0)
    found = [fibers(rng, 16, 0.1) for _ in range(400)]
    apart = [subtracted(second, first, {}, {})[0] for first, second in found]
    truth = np.mean([subtracted(*fibers(rng, 2000, 0.1)[::-1], {}, {})[0].value for _ in range(5)])

    assert 0.92 < np.mean([e.ci_low <= truth <= e.ci_high for e in apart]) <= 0.985
    alone = np.mean([first.stderr for first, _ in found])
    assert np.mean([e.stderr for e in apart]) < 0.4 * alone


def test_two_extractors_are_compared_on_the_queries_that_both_scales_rest_on():
    # the losses are the same share of both scales, which differ by a factor: no difference at all
    rng = np.random.default_rng(1)
    features = rng.normal(size=(32, 3))
    loss, null = rng.gamma(4, size=(32, 4)), random_pairs(features, rng)
    f, g = (measured_ratio("mean", c * loss, c * null, pairs=True) for c in (1.0, 7.0))
    found, how = subtracted(f, g, {}, {})

    assert how == "query by query"
    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.stderr == pytest.approx(0, abs=1e-12)
    assert f.stderr > 0.01


def test_without_moves_per_query_numbers_are_paired_and_without_those_errors_add():
    a, b = Statistic(1.0, n=3, stderr=0.3), Statistic(0.5, n=3, stderr=0.4)
    paired, how = subtracted(a, b, {"p": 1.0, "q": 1.2, "r": 0.8}, {"p": 0.5, "q": 0.7, "r": 0.3})
    assert (paired.value, how) == (0.5, "query by query")
    assert paired.stderr == pytest.approx(0, abs=1e-12)

    apart, how = subtracted(a, b, {}, {"p": 1.0})
    assert apart.stderr == pytest.approx(0.5)
    assert "cautious" in how
    alone, how = subtracted(Statistic(1.0), b, {}, {})
    assert alone.ci_low is None
    assert "without an interval" in how


def test_a_query_that_one_of_them_lost_still_counts_for_the_other():
    rng = np.random.default_rng(2)
    rows = rng.gamma(4, size=(20, 4))
    lost = rows.copy()
    lost[3] = np.nan
    found, _ = subtracted(measured("mean", rows), measured("mean", lost), {}, {})

    assert found.value == pytest.approx(rows.mean() - np.delete(rows, 3, axis=0).mean())
    assert np.isfinite([found.stderr, found.ci_low]).all()


def test_a_run_without_a_second_audit_has_no_difference():
    rows = [{"audit": "a/b/c", "extractor": "a", "prior": "b", "sampler": "c", "metric": "m",
             "statistic": "mean", "value": 1.0, "status": "ok"}]  # fmt: skip
    (verdict,) = judge(frame(rows), [Condition("m", minus={"sampler": "c"}, max=0)])
    assert verdict.status == "error"


@pytest.mark.parametrize("kind", ["extractor", "prior", "sampler"])
def test_a_name_that_the_suite_lacks_is_told_before_anything_is_drawn(tmp_path, kind):
    text = TWO.replace('minus = { sampler = "proj" }', f'minus = {{ {kind} = "nobody" }}')
    (tmp_path / "toy.toml").write_text(text)
    catalogue = Catalogue.load(extra=[str(Path(__file__).with_name("toy.py"))])

    sentence = rf"conditions\[0\].minus.{kind} = 'nobody': the suite has no such {kind}"
    with pytest.raises(SuiteError, match=sentence):
        read(str(tmp_path / "toy.toml"), catalogue)
