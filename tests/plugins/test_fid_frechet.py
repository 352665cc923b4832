"""Laws of the Fréchet distance: closed forms, golden values, peers, edge cases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fiber_audit_fid import frechet
from fiber_audit_fid.frechet import frechet_distance, frechet_distance_of_moments
from fiber_audit_fid.moments import Moments
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from fiber_audit.errors import UsageError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "frechet.json").read_text())


def torch_fidelity(a: np.ndarray, b: np.ndarray) -> float:
    statistics = [fid_features_to_statistics(torch.from_numpy(x)) for x in (a, b)]
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


def pair(n: int, d: int, seed: int = 0, decay: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scale = 10 ** (-decay * np.arange(d) / d)
    mix = np.linalg.qr(rng.standard_normal((d, d)))[0]
    a, b = rng.standard_normal((2, n, d)) * scale @ mix
    return a, 1.2 * b + 0.1


def identity(mean: float, d: int, n: int = 9) -> Moments:
    return Moments.given(np.full(d, mean), np.eye(d), n)


def test_unit_shift_of_2048_features_is_2048():
    value = frechet_distance_of_moments(identity(0, 2048), identity(1, 2048))

    assert value == pytest.approx(GOLDEN["unit_shift_2048"], rel=1e-12)


def test_diagonal_gaussians_give_the_closed_form():
    a = Moments.given([0, 0, 0], np.diag([1.0, 4, 9]), 9)
    b = Moments.given([1, 2, 2], np.diag([4.0, 1, 16]), 9)

    assert frechet_distance_of_moments(a, b) == pytest.approx(GOLDEN["diagonal"], rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(256, 16), (4096, 64)])
def test_features_of_torch_fidelitys_own_test_give_its_value(n: int, d: int):
    rng = np.random.RandomState(2023)
    a, b = rng.randn(n, d), rng.randn(n, d)

    assert frechet_distance(a, b) == pytest.approx(GOLDEN[f"normal_{n}_{d}"], rel=1e-9)


def test_the_input_on_which_a_peer_once_returned_nan_has_a_value():
    rng = np.random.RandomState(1)
    a, b = rng.randn(4, 4), rng.randn(4, 4)

    assert frechet_distance(a, b) == pytest.approx(torch_fidelity(a, b), rel=1e-6)


def test_three_gray_images_have_the_mean_and_covariance_of_a_peers_test():
    moments = Moments.of([[0.0], [0.5], [1.0]])

    assert (moments.mean.item(), moments.covariance.item()) == (0.5, 0.25)


@pytest.mark.parametrize(("n", "d"), [(200, 24), (600, 128), (2000, 64)])
def test_full_rank_agrees_with_torch_fidelity(n: int, d: int):
    a, b = pair(n, d, seed=n)

    assert frechet_distance(a, b) == pytest.approx(torch_fidelity(a, b), rel=1e-9)


def test_the_forms_agree_where_all_are_exact():
    a, b = (x - x.mean(0) for x in pair(300, 40))
    exact = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    by_roots = frechet._nuclear(frechet._root(a) @ frechet._root(b).T)
    fast = frechet._generalised(a.T @ a, b.T @ b)
    from_moments = frechet_distance_of_moments(Moments.of(a), Moments.of(b))

    assert by_roots == pytest.approx(exact, rel=1e-13)
    assert fast == pytest.approx(exact, rel=1e-13)
    assert from_moments == pytest.approx(frechet_distance(a, b), rel=1e-11)


@pytest.mark.parametrize(("n", "m"), [(5, 5), (5, 30), (20, 21), (20, 50), (50, 7), (2, 2)])
def test_reflecting_the_mean_away_leaves_the_singular_values(n: int, m: int):
    a, b = pair(n, 20)[0], pair(m, 20, seed=1)[1]
    a, b = a - a.mean(0), b - b.mean(0)

    assert frechet.trace_term(a, b) == pytest.approx(
        np.linalg.svd(a @ b.T, compute_uv=False).sum(), rel=1e-12
    )


def test_fewer_rows_than_features_is_exact_where_it_can_be_known():
    """Two sets in orthogonal subspaces share nothing: tr S_a + tr S_b is left."""
    rng = np.random.default_rng(0)
    a, b = np.zeros((2, 20, 100))
    a[:, :50], b[:, 50:] = rng.standard_normal((2, 20, 50))
    traces = a.var(0, ddof=1).sum() + b.var(0, ddof=1).sum()
    shift = np.square(a.mean(0) - b.mean(0)).sum()

    assert frechet_distance(a, b) == pytest.approx(traces + shift, rel=1e-12)


def test_a_covariance_near_singular_takes_the_exact_fallback():
    a, b = pair(400, 50, decay=9)

    assert frechet._generalised(np.cov(a, rowvar=False), np.cov(b, rowvar=False)) is None
    # features eight magnitudes smaller carry a distance that the exact form still resolves
    assert frechet_distance(a, a) < 1e-12
    assert frechet_distance(a, 2 * a - a.mean(0)) == pytest.approx(a.var(0, ddof=1).sum(), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize(("n", "d"), [(5, 60), (60, 60), (61, 60), (500, 60)])
def test_a_set_against_itself_is_zero_in_any_order(n: int, d: int, scale: float):
    a, _ = pair(n, d)
    a *= scale
    shuffled = a[np.random.default_rng(1).permutation(n)]

    assert 0 <= frechet_distance(a, shuffled) <= 1e-9 * max(1, scale**2)
    assert 0 <= frechet_distance(a, a.copy()) <= 1e-9 * max(1, scale**2)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n=st.integers(2, 30),
    d=st.integers(1, 30),
    rank=st.integers(0, 30),
    repeats=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_any_rank_gives_a_finite_symmetric_distance(n, d, rank, repeats, seed):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d))
    b = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d))
    a, b = np.repeat(a, repeats, axis=0), np.repeat(b, repeats, axis=0)
    value = frechet_distance(a, b)

    assert np.isfinite(value)
    assert value >= 0
    assert value == pytest.approx(frechet_distance(b, a), rel=1e-9, abs=1e-9)
    assert frechet_distance(a, a[::-1]) <= 1e-9


def test_moving_turning_and_scaling_both_sets_does_what_it_should():
    a, b = pair(40, 12)
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((12, 12)))[0]
    value = frechet_distance(a, b)

    assert frechet_distance(a + 7, b + 7) == pytest.approx(value, rel=1e-12)
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(value, rel=1e-12)
    assert frechet_distance(3 * a, 3 * b) == pytest.approx(9 * value, rel=1e-12)


def test_a_pure_shift_is_its_squared_length():
    a, _ = pair(30, 10)
    shift = np.linspace(-1, 1, 10)

    assert frechet_distance(a, a + shift) == pytest.approx(shift @ shift, rel=1e-12)


def test_float32_features_far_from_zero_keep_their_digits():
    """Raw second moments in float32 give -0.096 on such features."""
    rng = np.random.default_rng(0)
    a, b = (30 + 0.05 * rng.standard_normal((2, 2000, 64))).astype(np.float32)
    truth = frechet_distance(a.astype(np.float64) - 30, b.astype(np.float64) - 30)
    batches = [Moments.of_batches(torch.from_numpy(x).split(100)) for x in (a, b)]

    assert frechet_distance(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(
        truth, abs=1e-12
    )
    assert frechet_distance_of_moments(*batches) == pytest.approx(truth, abs=1e-12)


def test_the_bias_of_the_estimate_falls_like_one_over_n():
    rng = np.random.default_rng(0)
    products = [
        n * frechet_distance(*rng.standard_normal((2, n, 64))) for n in (500, 1000, 2000, 5000)
    ]

    assert np.allclose(products, GOLDEN["bias_times_n_64"], rtol=0.1)


def test_zero_variance_leaves_the_shift():
    a, b = np.zeros((5, 3)), np.ones((5, 3))

    assert frechet_distance(a, b) == 3.0
    assert frechet_distance(np.repeat(a, 4, 0), np.repeat(b, 4, 0)) == 3.0


def test_repeated_rows_change_nothing_but_the_degrees_of_freedom():
    a, b = pair(20, 6)
    tripled = frechet_distance(np.repeat(a, 3, 0), np.repeat(b, 3, 0))
    shift = np.square(a.mean(0) - b.mean(0)).sum()

    assert (tripled - shift) * 59 / 57 == pytest.approx(frechet_distance(a, b) - shift, rel=1e-9)


def test_different_sizes_are_refused_unless_allowed():
    a, b = pair(20, 6)

    with pytest.raises(UsageError, match="20 and 15 rows: a Fréchet distance depends on n"):
        frechet_distance(a, b[:15])
    with pytest.raises(UsageError, match="depends on n"):
        frechet_distance_of_moments(Moments.of(a), Moments.of(b[:15]))
    assert frechet_distance(a, b[:15], allow_unequal=True) > 0


@pytest.mark.parametrize("few", [3, 10])
def test_different_sizes_agree_with_the_moments_form(few: int):
    a, b = pair(50, 6)
    value = frechet_distance(a, b[:few], allow_unequal=True)
    moments = Moments.of(a), Moments.of(b[:few])

    assert value == pytest.approx(
        frechet_distance_of_moments(*moments, allow_unequal=True), rel=1e-7
    )


def test_one_row_is_refused_in_one_sentence():
    with pytest.raises(UsageError, match="1 and 1 rows: a covariance needs at least 2"):
        frechet_distance([[1.0, 2.0]], [[1.0, 2.0]])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused_by_row(bad: float):
    a, b = pair(10, 3)
    b[4, 1] = bad

    with pytest.raises(UsageError, match=r"features_b has 1 of 10 rows .* row 4"):
        frechet_distance(a, b)


def test_features_beyond_float64_are_refused():
    with pytest.raises(UsageError, match="too large"):
        frechet_distance([[1e200], [-1e200]], [[0.0], [1.0]])
    with pytest.raises(UsageError, match="too large"):
        frechet_distance([[1e200], [1e200]], [[0.0], [1.0]])


@pytest.mark.parametrize("n", [4, 20])
@pytest.mark.parametrize("large", [1e100, 1e150])
def test_features_whose_squares_have_no_square_are_refused(n, large):
    a, b = pair(n, 6)

    with pytest.raises(UsageError, match="too large"):
        frechet_distance(large * a, b)
    with pytest.raises(UsageError, match="too large"):
        Moments.of(large * a)
    with pytest.raises(UsageError, match="too large"):
        Moments.given(np.zeros(2), large**2 * np.eye(2), 9)
    with pytest.raises(UsageError, match="too large"):
        Moments.of_batches([a[:2], a[2:] + large])


@pytest.mark.parametrize("decades", [0.0, 1.0, 3.0, 6.0])
@pytest.mark.parametrize("d", [8, 64])
def test_opposed_spectra_lose_no_digits(decades, d):
    """Where one set is wide the other is narrow: S_a S_b is flat, and S_a and S_b are not."""
    rng = np.random.default_rng(0)
    wide = 10 ** -np.linspace(0, decades, d)
    rotation, _ = np.linalg.qr(rng.standard_normal((d, d)))
    a = rng.standard_normal((2 * d + 4, d)) * wide @ rotation
    b = rng.standard_normal((2 * d + 4, d)) * wide[::-1] @ rotation
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    exact = np.linalg.svd(a @ b.T, compute_uv=False).sum()

    assert frechet.trace_term(a, b) == pytest.approx(exact, rel=1e-11)


def test_other_feature_counts_are_refused():
    with pytest.raises(UsageError, match="3 and 4 features"):
        frechet_distance(np.zeros((5, 3)), np.zeros((5, 4)))
