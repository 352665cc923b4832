"""Laws of intervals: what they cover, what they do not depend on, and what they refuse."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from fiber_audit.measuring import (
    difference_of,
    estimate,
    estimate_of_pairs,
    measured,
    measured_ratio,
    median,
    per_query,
    random_pairs,
)

ROWS = np.random.default_rng(3).normal(2.0, 1.5, 200)
MANY = np.random.default_rng(6).normal(2.0, 1.5, 2000)


def test_the_standard_error_of_a_mean_is_that_of_theory():
    found = estimate(ROWS)
    assert found.stderr == pytest.approx(ROWS.std(ddof=1) / len(ROWS) ** 0.5, rel=0.1)


def test_the_interval_of_a_mean_of_symmetric_numbers_is_students():
    rows = np.concatenate([2 - ROWS, 2 + ROWS])[::7]
    rows = np.concatenate([rows, 2 * rows.mean() - rows])
    low, high = stats.t.interval(0.95, len(rows) - 1, rows.mean(), stats.sem(rows))
    found = estimate(rows)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), rel=1e-9)
    assert found.stderr == pytest.approx(stats.sem(rows), rel=1e-12)


def covered(law, truth, repetitions=600, q=16, scale="linear", compute=None):
    rng = np.random.default_rng(4)
    found = [estimate(law(rng, q), compute, scale=scale) for _ in range(repetitions)]
    return np.mean([e.ci_low <= truth <= e.ci_high for e in found])


def test_the_interval_of_sixteen_skewed_numbers_covers_their_mean():
    # Student's own covers .911 and .858
    assert 0.92 < covered(lambda rng, q: rng.exponential(size=q), 1.0) < 0.975
    assert 0.89 < covered(lambda rng, q: np.exp(rng.normal(size=q)), np.exp(0.5)) < 0.97


def test_the_interval_of_a_median_covers_it_where_draws_belong_together():
    def law(rng, q):
        return np.exp(rng.normal(size=(q, 1)) + 0.5 * rng.normal(size=(q, 4)))

    assert 0.92 < covered(law, 1.0, compute=median) < 0.985


def test_the_interval_of_a_share_covers_it_and_stays_a_share():
    def law(rng, q):
        return (rng.random((q, 4)) < 0.9).astype(float)

    assert 0.92 < covered(law, 0.9, scale="share") < 0.985
    never = estimate(np.zeros((16, 4)), scale="share")
    assert (never.value, never.ci_low) == (0, 0)
    assert 0.1 < never.ci_high < 0.3


def test_a_number_that_cannot_be_negative_has_an_interval_above_zero():
    found = estimate(np.array([0.1, 3.0]), scale="positive")
    assert 0 < found.ci_low < found.value < found.ci_high


def test_pairs_are_left_out_with_either_of_their_queries():
    rng = np.random.default_rng(5)
    points = [rng.normal(size=(16, 3)) for _ in range(400)]
    null = [random_pairs(x, rng) for x in points]
    found = [estimate_of_pairs(x) for x in null]
    values = np.array([e.value for e in found])
    truth = np.mean(random_pairs(rng.normal(size=(4000, 3)), rng))

    assert values.std() == pytest.approx(np.mean([e.stderr for e in found]), rel=0.3)
    assert values.std() > 1.4 * np.mean([estimate(x).stderr for x in null])
    assert np.mean([e.ci_low <= truth <= e.ci_high for e in found]) > 0.93
    without = random_pairs(points[0][1:], rng).mean()
    assert found[0].moved[0] == pytest.approx(without - found[0].value)


def test_what_two_numbers_share_cancels_in_their_difference():
    first, second = estimate(ROWS), estimate(ROWS + 0.1 * MANY[:200])
    apart = difference_of(second, first)

    assert apart.value == pytest.approx(0.1 * MANY[:200].mean())
    assert apart.stderr == pytest.approx(0.1 * stats.sem(MANY[:200]))
    assert apart.stderr < 0.2 * first.stderr
    assert difference_of(first, first).ci_low == 0


def test_the_same_rows_give_the_same_interval_whatever_the_seed_where_each_can_be_left_out():
    assert estimate(ROWS, seed=1) == estimate(ROWS, seed=2)
    assert estimate(MANY, seed=1) == estimate(MANY, seed=1)
    assert estimate(MANY, seed=1) != estimate(MANY, seed=2)


def test_groups_of_queries_are_left_out_where_there_are_many_and_tell_the_same():
    assert estimate(MANY).stderr == pytest.approx(stats.sem(MANY), rel=0.15)


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


def test_a_statistic_that_is_undefined_without_some_query_has_no_interval():
    found = estimate(
        np.array([0.0, 1.0]), lambda rows: float(1 / rows.mean()) if rows.any() else np.inf
    )
    assert found.value == 2.0
    assert found.ci_low is None


def test_statistics_of_sums_are_those_of_rows():
    pairs = np.random.default_rng(5).uniform(1, 2, (30, 2))
    of_rows = estimate(pairs, lambda rows: float(rows[:, 0].sum() / rows[:, 1].sum()))
    of_sums = estimate(pairs, lambda sums: float(sums[0] / sums[1]), of_sums=True)

    for name in ("value", "stderr", "ci_low", "ci_high"):
        assert getattr(of_sums, name) == pytest.approx(getattr(of_rows, name), rel=1e-9)


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


def test_a_query_is_left_out_of_numerator_and_denominator_together():
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


def test_no_value_without_one_query_means_no_interval():
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
