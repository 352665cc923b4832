import numpy as np
import pytest
from scipy import stats

from fiber_audit.uncertainty import estimate

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
