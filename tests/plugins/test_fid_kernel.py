"""Laws of the kernel and neighbour measures: closed forms, orientation, seeds, peers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fiber_audit_fid.kernel import gaussian_kernel_distance, kernel_distance
from fiber_audit_fid.neighbours import density_coverage, neighbourhood, precision_recall
from torch_fidelity.metric_kid import kid_features_to_metric

from fiber_audit.errors import UsageError


def normal(n: int, d: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def test_kid_is_torch_fidelitys_for_the_same_seed():
    a, b = normal(300), normal(300, seed=1) + 0.3
    found = kernel_distance(a, b, seed=7, subsets=10, subset_size=100)
    peer = kid_features_to_metric(
        torch.from_numpy(a),
        torch.from_numpy(b),
        kid_subsets=10,
        kid_subset_size=100,
        rng_seed=7,
        verbose=False,
    )

    assert found.mean == peer["kernel_inception_distance_mean"]
    assert found.std == peer["kernel_inception_distance_std"]


def test_kid_does_not_touch_the_global_generator_and_its_seed_decides():
    a, b = normal(300), normal(300, seed=1)
    np.random.seed(5)  # noqa: NPY002  # the global state is what is under test
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (kernel_distance(a, b, seed, 5, 100).mean for seed in (1, 1, 2))

    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert first == again != other


def test_kid_of_one_law_is_zero_on_average_at_any_n():
    for n in (10, 100):
        values = [
            kernel_distance(normal(n, seed=2 * s), normal(n, seed=2 * s + 1)).mean
            for s in range(200)
        ]

        assert abs(np.mean(values)) < 3 * np.std(values) / 200**0.5


def test_pairs_that_belong_together_do_not_bias_kid():
    """A draw of each query's own: the sets share a law, but not independently."""
    plain, paired = [], []
    for s in range(200):
        a = normal(20, seed=s)
        b = a + 0.1 * normal(20, seed=1000 + s)
        plain.append(kernel_distance(a, b).mean)
        paired.append(kernel_distance(a, b, paired=True).mean)

    assert np.mean(plain) < -0.5
    assert abs(np.mean(paired)) < 0.02


def test_kid_with_and_without_pairs_agrees_on_independent_sets():
    a, b = normal(400), normal(400, seed=1) + 0.5

    assert kernel_distance(a, b, paired=True).mean == pytest.approx(
        kernel_distance(a, b).mean, rel=0.1
    )
    with pytest.raises(UsageError, match="pairs need as many of each"):
        kernel_distance(a, b[:9], paired=True)


def test_small_sets_are_compared_whole_and_once():
    found = kernel_distance(normal(20), normal(20, seed=1))

    assert (found.subsets, found.subset_size, found.std) == (1, 20, 0.0)


def test_kid_of_float32_features_far_from_zero_keeps_its_digits():
    a, b = (30 + 0.05 * np.stack([normal(200, 64), normal(200, 64, 1)])).astype(np.float32)
    exact = kernel_distance(a.astype(np.float64), b.astype(np.float64)).mean

    assert kernel_distance(torch.from_numpy(a), torch.from_numpy(b)).mean == exact


def test_gaussian_kernel_distance_is_zero_on_itself_and_grows_with_the_shift():
    a, b = normal(200), normal(200, seed=1)
    values = [gaussian_kernel_distance(a, b + shift, sigma=4.0) for shift in (0, 0.5, 1, 2)]

    assert gaussian_kernel_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert values == sorted(values)


def test_gaussian_kernel_distance_has_the_closed_form_of_two_gaussians():
    """E exp(-|x-y|^2 / 2s^2) over N(m, 2 I_d) is (s^2/(s^2+2))^(d/2) exp(-|m|^2 / (2 (s^2+2)))."""
    a, b = normal(3000, 4), normal(3000, 4, seed=1) + 0.5
    s2, shift2 = 4.0, 4 * 0.25
    same = (s2 / (s2 + 2)) ** 2
    truth = 2 * same - 2 * same * np.exp(-shift2 / (2 * (s2 + 2)))

    assert gaussian_kernel_distance(a, b, sigma=2.0, scale=1.0) == pytest.approx(truth, rel=0.1)


def test_a_collapsed_generator_has_high_precision_and_low_recall():
    real = normal(500, 4)
    collapsed = 0.05 * normal(500, 4, seed=1)
    found = neighbourhood(collapsed, real)

    assert found.precision > 0.8
    assert found.recall < 0.3
    assert found.coverage < 0.3


def test_a_scattered_generator_has_low_precision_and_high_recall():
    real = normal(500, 4)
    scattered = 6 * normal(500, 4, seed=1)
    found = neighbourhood(scattered, real)

    assert found.precision < 0.3
    assert found.recall > 0.8
    assert found.density < 0.3


def test_two_samples_of_one_law_have_density_and_coverage_near_their_expectation():
    """For one law, density expects 1 and coverage 1 - 2^-k at equal sizes (Naeem et al., 2020)."""
    density, coverage = density_coverage(normal(2000, 8), normal(2000, 8, seed=1), k=5)

    assert density == pytest.approx(1, abs=0.1)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_a_set_covers_itself_whole_even_with_repeated_rows():
    real = np.repeat(normal(30, 3), 3, axis=0)
    found = neighbourhood(real, real, k=1, k_density=1)

    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)


def test_swapping_the_sets_swaps_precision_and_recall():
    a, b = normal(100), 0.7 * normal(100, seed=1)

    assert precision_recall(a, b) == precision_recall(b, a)[::-1]


def test_order_and_shift_change_nothing():
    a, b = normal(60, 5), normal(60, 5, seed=1)
    order = np.random.default_rng(0).permutation(60)

    assert neighbourhood(a[order], b) == neighbourhood(a, b)
    assert neighbourhood(a + 1000, b + 1000) == neighbourhood(a, b)


def test_numbers_that_mean_nothing_are_refused_in_one_sentence():
    a, b = normal(9), normal(9, seed=1)
    for sigma in (0.0, -1.0):
        with pytest.raises(UsageError, match="a bandwidth is above 0"):
            gaussian_kernel_distance(a, b, sigma)
    with pytest.raises(UsageError, match="at least one subset of two"):
        kernel_distance(a, b, subset_size=1)
    with pytest.raises(UsageError, match="k = 0: a ball reaches"):
        precision_recall(a, b, 0)


def test_too_few_rows_are_refused_in_one_sentence():
    with pytest.raises(UsageError, match="3 draws and 9 real rows: the 3-th neighbour needs more"):
        precision_recall(normal(3), normal(9))
    with pytest.raises(UsageError, match="KID needs at least 2"):
        kernel_distance(normal(1), normal(9))
    with pytest.raises(UsageError, match="16 and 8 features"):
        kernel_distance(normal(9), normal(9, 8))
    with pytest.raises(UsageError, match="most rows of features_b are the same"):
        gaussian_kernel_distance(normal(9), np.zeros((9, 16)))
