"""Laws of the blind-spot score: zero for no hiding, honest intervals, invariances."""

from __future__ import annotations

import numpy as np
import pytest
from fiber_audit_fid.blind_spot import View, blind_spot, relative_distance
from fiber_audit_fid.frechet import frechet_distance

from fiber_audit.errors import UsageError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def view(seed: int, share: float, q: int = 40, d: int = 6, scale: float = 1.0) -> View:
    """A network for which draws keep this share of the prior's gap; features in any unit."""
    r = rng(seed)
    queries = r.standard_normal((q, d))
    unguided = 0.4 + 1.3 * r.standard_normal((q, 1, d))
    draws = queries[:, None] + share * (unguided - queries[:, None])
    return View(f"net-{seed}", scale * queries, scale * draws, scale * unguided)


def test_the_score_is_one_less_the_ratio_of_what_is_seen():
    own, first, second = view(0, 0.2), view(1, 0.8), view(2, 1.0)
    rows = np.arange(40)
    found = blind_spot(own, [first, second], rng())
    others = (first.ratio(rows) + second.ratio(rows)) / 2

    assert found.score.value == pytest.approx(1 - own.ratio(rows) / others)
    assert (found.own, found.others) == (own.ratio(rows), pytest.approx(others))
    assert found.verdict == "hides"
    assert "hides" in found.sentence("own")


def test_the_unit_of_features_does_not_matter():
    plain = blind_spot(view(0, 0.2), [view(1, 0.8)], rng())
    scaled = blind_spot(view(0, 0.2, scale=100.0), [view(1, 0.8, scale=0.01)], rng())

    assert scaled.score.value == pytest.approx(plain.score.value)
    assert scaled.score.ci_low == pytest.approx(plain.score.ci_low)


def test_the_interval_covers_zero_for_two_networks_that_see_alike():
    inside = 0
    for s in range(100):
        found = blind_spot(view(2 * s, 0.5), [view(2 * s + 1, 0.5)], rng())
        inside += found.verdict == "inconclusive"

    assert inside >= 90


@pytest.mark.parametrize("sizes", [(4, 48), (48, 4), (4, 256)])
def test_a_network_with_fewer_features_does_not_hide_because_others_see_more_noise(sizes):
    """Both see half of the prior's shift, so a quarter of its distance; all else is noise."""

    def shifted(seed: int, d: int, q: int = 128) -> View:
        r, shift = rng(seed), 3 / d**0.5
        queries = r.standard_normal((q, d))
        unguided, draws = (r.standard_normal((q, 1, d)) + s * shift for s in (1, 0.5))
        return View(f"net-{seed}", queries, draws, unguided)

    for s in range(5):
        own, other = (shifted(2 * s + i, d) for i, d in enumerate(sizes))
        assert blind_spot(own, [other], rng()).verdict == "inconclusive"


def test_the_noise_of_a_distance_is_that_of_two_samples_of_one_law():
    for d, q in ((4, 400), (64, 400), (64, 48)):
        r = rng(1)
        seen = View("net", *(r.standard_normal((q, *k, d)) for k in ((), (1,), (1,))))
        truth = np.mean([frechet_distance(*r.standard_normal((2, q, d))) for _ in range(20)])
        shifted = View("net", seen.queries, seen.draws, seen.unguided + 5)
        expected = truth / shifted.distances(np.arange(q))[1]

        assert shifted.noise(rng()) == pytest.approx(expected, rel=0.3)


def test_more_queries_make_the_interval_narrower():
    def width(q: int) -> float:
        scores = [
            blind_spot(view(2 * s, 0.4, q), [view(2 * s + 1, 0.6, q)], rng()).score
            for s in range(10)
        ]
        return float(np.mean([score.ci_high - score.ci_low for score in scores]))

    assert width(160) < 0.6 * width(40)


def test_a_network_that_sees_nothing_at_all_scores_one():
    found = blind_spot(view(0, 0.0), [view(1, 1.0)], rng())

    assert found.score.value == pytest.approx(1)
    assert found.verdict == "hides"
    assert np.isfinite([found.score.stderr, found.score.ci_low, found.score.ci_high]).all()


def test_few_queries_have_a_score_and_no_verdict():
    found = blind_spot(view(0, 0.2, q=3), [view(1, 1.0, q=3)], rng())

    assert found.score.ci_low is None
    assert found.confidence is None
    assert found.verdict == "inconclusive"
    assert "add queries" in found.sentence("own")


def test_the_share_seen_is_one_for_unguided_draws():
    found = relative_distance(view(0, 1.0), rng())

    assert found.value == pytest.approx(1)
    assert found.ci_high - found.ci_low < 1e-6


def test_a_constant_network_and_a_lonely_one_are_refused():
    flat = View("flat", np.ones((9, 2)), np.ones((9, 1, 2)), np.ones((9, 1, 2)))

    with pytest.raises(UsageError, match="flat sees no difference"):
        relative_distance(flat, rng())
    with pytest.raises(UsageError, match="needs another network"):
        blind_spot(view(0, 0.5), [], rng())
