"""Laws of the moments: shards merge, and a distance is the same from rows and from moments."""

from __future__ import annotations

import numpy as np
import pytest
from fiber_audit_fid.frechet import frechet_distance, frechet_distance_of_moments
from fiber_audit_fid.moments import Moments
from hypothesis import given, settings
from hypothesis import strategies as st

MAGNITUDES = st.integers(-60, 60)


def pair(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.random.default_rng(0).standard_normal((2, n, d))
    return a, 1.2 * b + 0.1


def test_collapsed_sets_have_the_distance_of_their_points_from_rows_and_from_moments():
    rng = np.random.default_rng(0)
    a, b = (np.tile(rng.standard_normal(6), (7, 1)) for _ in range(2))
    expected = np.square(a[0] - b[0]).sum()

    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-14)
    assert frechet_distance_of_moments(Moments.of(a), Moments.of(b)) == pytest.approx(
        expected, rel=1e-14
    )


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e5 / 3, 1e-30, 1e30 / 7])
def test_equal_rows_are_at_distance_zero_without_a_warning(value):
    """A warning is an error in these tests; rounding of the mean once passed for a spread."""
    for n in range(2, 60):
        rows = np.full((n, 3), value)
        batches = Moments.of_batches(np.array_split(rows, min(n, 4)))

        assert frechet_distance(rows, rows) == 0.0
        assert frechet_distance_of_moments(Moments.of(rows), Moments.of(rows)) == 0.0
        assert frechet_distance_of_moments(batches, batches) == 0.0


def test_a_collapsed_set_beside_a_spread_one_leaves_the_shift_and_the_spread():
    spread, point = pair(20, 5)[0], np.full((20, 5), 0.3)
    expected = spread.var(0, ddof=1).sum() + np.square(spread.mean(0) - 0.3).sum()
    for a, b in ((spread, point), (point, spread)):
        moments = Moments.of(a), Moments.of(b)

        assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-13)
        assert frechet_distance_of_moments(*moments) == pytest.approx(expected, rel=1e-13)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    n=st.integers(2, 30),
    d=st.integers(1, 12),
    ranks=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    magnitudes=st.tuples(MAGNITUDES, MAGNITUDES),
    decades=st.integers(0, 20),
    mean=st.sampled_from([0.0, 0.1, -1e3]),
    seed=st.integers(0, 99),
)
def test_rows_and_their_moments_agree(n, d, ranks, magnitudes, decades, mean, seed):
    """Collapsed (rank 0), of any rank, steep, tiny, huge, and one beside the other."""
    rng = np.random.default_rng(seed)
    steep = 10.0 ** -np.linspace(0, decades, d)
    a, b = (
        10.0**size
        * (rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d)) * steep + mean)
        for rank, size in zip(ranks, magnitudes, strict=True)
    )
    traces = a.var(0, ddof=1).sum() + b.var(0, ddof=1).sum()
    shift = np.square(a.mean(0) - b.mean(0)).sum()
    rows = frechet_distance(a, b)
    moments = frechet_distance_of_moments(Moments.of(a), Moments.of(b))

    assert 0 <= rows <= (traces + shift) * (1 + 1e-12)
    assert abs(rows - moments) <= 1e-6 * traces + 1e-14 * shift


@pytest.mark.parametrize("scale", [1e-100, 1e-80, 1e60, 1e69])
def test_tiny_and_huge_features_lose_no_digits(scale):
    """The square of a square of these leaves float64."""
    a, b = pair(30, 4)
    value = frechet_distance(a, b) * scale**2
    moments = Moments.of(scale * a), Moments.of(scale * b)

    assert frechet_distance(scale * a, scale * b) == pytest.approx(value, rel=1e-12)
    assert frechet_distance_of_moments(*moments) == pytest.approx(value, rel=1e-12)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(cuts=st.lists(st.integers(1, 199), max_size=6), seed=st.integers(0, 99))
def test_shards_merge_to_the_same_moments_in_any_grouping(cuts, seed):
    rng = np.random.default_rng(seed)
    rows = 1e3 + rng.standard_normal((200, 5))
    whole = Moments.of(rows)
    parts = [part for part in np.split(rows, sorted(cuts)) if len(part)]
    forward, backward = Moments.of_batches(parts), Moments.of_batches(parts[::-1])

    assert forward.n == backward.n == 200
    for merged in (forward, backward):
        np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-14)
        np.testing.assert_allclose(merged.covariance, whole.covariance, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(whole.covariance, np.cov(rows, rowvar=False), rtol=1e-10)
