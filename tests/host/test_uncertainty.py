import tracemalloc

import numpy as np
import pytest
from scipy import stats

from fiber_audit.measuring import estimate, measured, measured_ratio, median, per_query, uncertainty

ROWS = np.random.default_rng(3).normal(2.0, 1.5, 200)


def test_the_standard_error_of_a_mean_is_that_of_theory():
    found = estimate(ROWS)
    assert found.stderr == pytest.approx(ROWS.std(ddof=1) / len(ROWS) ** 0.5, rel=0.1)


def test_the_interval_of_a_mean_is_near_students():
    low, high = stats.t.interval(0.95, len(ROWS) - 1, ROWS.mean(), stats.sem(ROWS))
    found = estimate(ROWS)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=0.2 * (high - low))


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(4)
    found = [estimate(rng.normal(0, 1, 40), seed=i) for i in range(60)]
    hits = sum(e.ci_low <= 0 <= e.ci_high for e in found)
    assert hits >= stats.binom.ppf(0.001, 60, 0.93)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    assert estimate(ROWS, seed=1) == estimate(ROWS, seed=1)
    assert estimate(ROWS, seed=1) != estimate(ROWS, seed=2)


def test_one_row_has_a_value_but_no_uncertainty():
    found = estimate(np.array([3.0]))
    assert (found.value, found.n) == (3.0, 1)
    assert found.stderr is found.ci_low is found.ci_high is None


def test_equal_rows_have_no_spread():
    found = estimate(np.full(8, 0.25))
    assert (found.value, found.stderr, found.ci_low, found.ci_high) == (0.25, 0.0, 0.25, 0.25)


def test_uncertainty_scales_with_the_unit_and_ignores_the_origin():
    here, there = estimate(ROWS), estimate(10 * ROWS + 7)
    assert there.stderr == pytest.approx(10 * here.stderr)
    assert there.ci_low == pytest.approx(10 * here.ci_low + 7)


def test_any_statistic_of_whole_rows_can_be_estimated():
    pairs = np.stack([ROWS, 2 * ROWS], axis=1)
    found = estimate(pairs, lambda rows: float(np.ptp(rows.mean(0))))
    assert found.value == pytest.approx(ROWS.mean())
    assert found.stderr == pytest.approx(estimate(ROWS).stderr, rel=1e-9)


def test_a_statistic_that_is_undefined_for_some_resamples_has_no_interval():
    found = estimate(
        np.array([0.0, 1.0]), lambda rows: float(1 / rows.mean()) if rows.any() else np.inf
    )
    assert found.value == 2.0
    assert found.ci_low is None


def test_statistics_of_sums_are_those_of_rows_with_the_same_resamples():
    pairs = np.random.default_rng(5).uniform(1, 2, (30, 2))
    of_rows = estimate(pairs, lambda rows: float(rows[:, 0].sum() / rows[:, 1].sum()), seed=7)
    of_sums = estimate(pairs, lambda sums: float(sums[0] / sums[1]), seed=7, of_sums=True)

    assert vars(of_sums) == pytest.approx(vars(of_rows), rel=1e-12)


def test_resamples_do_not_depend_on_how_many_are_held_at_once(monkeypatch):
    whole = estimate(ROWS)
    monkeypatch.setattr(uncertainty, "BYTES", 20 * 8 * len(ROWS))

    assert vars(estimate(ROWS)) == pytest.approx(vars(whole), rel=1e-12)


def test_one_lost_number_is_left_out_of_the_mean_of_all():
    rows = ROWS.reshape(50, 4).copy()
    rows[7, 2] = np.nan
    found = measured("mean", rows)

    assert found.value == pytest.approx(np.delete(ROWS, 30).mean())
    assert found.n == 199
    assert measured("median", rows, median).value == np.median(np.delete(ROWS, 30))


def test_a_query_that_lost_everything_drops_out():
    rows = ROWS.reshape(50, 4).copy()
    rows[7] = np.nan
    rest = np.delete(rows, 7, axis=0)

    assert measured("mean", rows) == measured("mean", rest)
    assert [s.query for s in per_query([f"q{i}" for i in range(50)], rows)].count("q7") == 0


def test_the_ratio_of_equal_rows_is_exactly_one():
    found = measured_ratio("mean", ROWS.reshape(50, 4), ROWS.reshape(50, 4))
    assert (found.value, found.stderr, found.ci_low, found.ci_high) == (1, 0, 1, 1)


def test_numerator_and_denominator_are_resampled_together():
    above, below = 3 * ROWS.reshape(50, 4), ROWS.reshape(50, 4)[:, :2]
    alone = measured("mean", above)
    together = measured_ratio("mean", above, below)

    assert together.value == pytest.approx(alone.value / below.mean())
    assert together.stderr < alone.stderr / below.mean()


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_what_has_no_finite_value_has_a_reason_and_no_warning(lost):
    rows = np.full((4, 3), lost)
    found = [measured("mean", rows), measured("median", rows, median)]
    found += [measured_ratio("mean", rows, np.ones((4, 3))), *per_query("abcd", rows)]

    assert len(found) == (3 if np.isnan(lost) else 7)
    assert all(s.value is s.stderr is s.ci_low is None and s.message for s in found)


def test_a_resample_without_a_value_leaves_the_value_without_an_interval():
    above = np.array([[1.0], [np.nan]])
    found = measured_ratio("mean", above, np.ones((2, 1)))

    assert (found.value, found.n) == (1, 1)
    assert found.stderr is found.ci_low is found.ci_high is None


def test_the_mean_of_ten_thousand_queries_with_128_numbers_each_takes_little_memory():
    rows = np.random.default_rng(0).normal(size=(10_000, 128))
    tracemalloc.start()
    found = measured("random_pairs", rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert found.stderr == pytest.approx(rows.size**-0.5, rel=0.15)
    assert peak < 250e6
