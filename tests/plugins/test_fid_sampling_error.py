"""Laws of the uncertainty of a distance: the error is the spread, the bias falls like 1 / n."""

from __future__ import annotations

import numpy as np
import pytest
from fiber_audit_fid.frechet import frechet_distance
from fiber_audit_fid.sampling_error import (
    extrapolate,
    frechet_at_infinity,
    jackknife,
    rows_for_limit,
)

from fiber_audit.errors import UsageError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_jackknife_error_is_the_spread_of_repeated_samples():
    def sets(seed: int) -> np.ndarray:
        a, b = rng(seed).standard_normal((2, 200, 4))
        return np.stack([a, b + 0.5])

    values = [frechet_distance(*sets(seed)) for seed in range(300)]
    errors = []
    for seed in range(10):
        a, b = sets(seed)
        found = jackknife(lambda rows, a=a, b=b: frechet_distance(a[rows], b[rows]), 200, rng())
        errors.append(found.stderr)

    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


def test_the_jackknife_interval_covers_the_truth_as_often_as_it_says():
    inside = 0
    for seed in range(100):
        x = rng(seed).standard_normal(40)
        found = jackknife(lambda rows, x=x: float(x[rows].mean()), 40, rng())
        inside += found.ci_low <= 0 <= found.ci_high

    assert 90 <= inside <= 100


def test_the_jackknife_finds_a_bias_of_one_over_n():
    found = jackknife(lambda rows: 2 + 3 / len(rows), 100, rng())

    assert found.bias == pytest.approx(0.03, rel=1e-9)
    assert found.stderr == pytest.approx(0, abs=1e-12)


def test_the_jackknife_needs_four_rows():
    assert jackknife(lambda rows: 0.0, 3, rng()) is None


def test_the_jackknife_does_not_depend_on_the_order_in_which_it_is_asked():
    x = rng().standard_normal(50)

    assert jackknife(lambda r: x[r].mean(), 50, rng()) == jackknife(
        lambda r: x[r].mean(), 50, rng()
    )


def test_two_samples_of_one_law_have_distance_zero_at_infinite_n():
    a, b = rng().standard_normal((2, 2000, 64))
    found = frechet_at_infinity(a, b, rng(), groups=5)

    assert frechet_distance(a, b) > 1
    assert abs(found.limit) < 3 * found.error.stderr + 0.03
    assert found.slope == pytest.approx(2200, rel=0.1)


def test_a_known_distance_is_found_without_bias_at_infinite_n():
    truth = 16 * (0.5**2 + 0.2**2)
    at_n, limits, errors = [], [], []
    for seed in range(20):
        a, b = rng(seed).standard_normal((2, 200, 16))
        b = 1.5 * b + 0.2
        found = frechet_at_infinity(a, b, rng())
        at_n.append(frechet_distance(a, b))
        limits.append(found.limit)
        errors.append(found.error.stderr)

    assert found.values[-1] == pytest.approx(at_n[-1], rel=1e-9)
    assert abs(np.mean(limits) - truth) < 0.25 * (np.mean(at_n) - truth)
    assert np.mean(errors) == pytest.approx(np.std(limits), rel=0.4)


def test_a_statistic_without_bias_is_left_alone():
    x = rng().standard_normal(300)
    found = extrapolate(lambda rows: float(x[rows].mean()), 300, rng())

    assert abs(found.limit - x.mean()) < 3 * found.error.stderr


def test_too_few_rows_are_refused():
    a = rng().standard_normal((15, 2))

    with pytest.raises(UsageError, match="n = 15: an extrapolation"):
        extrapolate(lambda rows: 0.0, 15, rng())
    with pytest.raises(UsageError, match="15 and 14 rows"):
        frechet_at_infinity(a, a[:14], rng())


def test_more_features_than_the_rows_can_tell_apart_have_no_limit():
    """With d near n the bias does not fall like 1 / n: the intercept would be twice the truth."""
    a, b = rng().standard_normal((2, 128, 64))

    with pytest.raises(UsageError, match=r"128 rows of 64 features: .* from 192 rows on"):
        frechet_at_infinity(a, b, rng())


@pytest.mark.parametrize("flat", [True, False])
def test_at_the_fewest_rows_the_limits_interval_covers_the_truth(flat):
    d = 24
    spread = np.ones(d) if flat else np.arange(1, d + 1) ** -0.5
    truth = (0.3**2 + 0.2**2) * (spread**2).sum()
    inside = 0
    for seed in range(20):
        a, b = rng(seed).standard_normal((2, rows_for_limit(d), d)) * spread
        error = frechet_at_infinity(a, 1.3 * b + 0.2 * spread, rng()).error
        inside += error.ci_low <= truth <= error.ci_high

    assert inside >= 17


def test_the_jackknife_interval_covers_the_distance_at_this_n():
    """Of the expected distance, bias and all; for steep spectra too."""
    d, n = 16, 96
    spread = np.arange(1, d + 1) ** -0.5

    def sets(seed: int) -> np.ndarray:
        a, b = rng(seed).standard_normal((2, n, d)) * spread
        return np.stack([a, 1.3 * b + 0.2 * spread])

    expected = np.mean([frechet_distance(*sets(seed)) for seed in range(1000, 1200)])
    inside = 0
    for seed in range(60):
        a, b = sets(seed)
        found = jackknife(lambda rows, a=a, b=b: frechet_distance(a[rows], b[rows]), n, rng())
        inside += found.ci_low <= expected <= found.ci_high

    assert inside >= 52
