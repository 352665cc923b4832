"""Laws of the blind-spot score: zero for no hiding, honest intervals, invariances."""

from __future__ import annotations

import numpy as np
import pytest
from fiber_audit_fid.blind_spot import Hidden
from fiber_audit_fid.blind_spot import blind_spot as of_shares
from fiber_audit_fid.frechet import frechet_distance
from fiber_audit_fid.witness import Witness, relative_distance, share

from fiber_audit.errors import UsageError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def witness(name: str, queries: np.ndarray, draws: np.ndarray, unguided: np.ndarray) -> Witness:
    there = np.ones(draws.shape[:2], dtype=bool)
    return Witness(name, queries, draws, unguided, there)


def blind_spot(own: Witness, others: list[Witness]) -> Hidden:
    return of_shares(share(own, 0), [share(other, 0) for other in others])


def view(seed: int, kept: float, q: int = 40, d: int = 6, scale: float = 1.0) -> Witness:
    """A network for which draws keep this share of the prior's gap; features in any unit."""
    r = rng(seed)
    queries = r.standard_normal((q, d))
    unguided = 0.4 + 1.3 * r.standard_normal((q, 1, d))
    draws = queries[:, None] + kept * (unguided - queries[:, None])
    return witness(f"net-{seed}", scale * queries, scale * draws, scale * unguided)


def test_the_score_is_one_less_the_ratio_of_what_is_seen():
    own, first, second = view(0, 0.2), view(1, 0.8), view(2, 1.0)
    found = blind_spot(own, [first, second])
    others = (first.ratio() + second.ratio()) / 2

    assert found.score.value == pytest.approx(1 - own.ratio() / others)
    assert (found.own, found.others) == (own.ratio(), pytest.approx(others))
    assert found.finding == "hides"
    assert "hides" in found.sentence("own")


def test_the_unit_of_features_does_not_matter():
    plain = blind_spot(view(0, 0.2), [view(1, 0.8)])
    scaled = blind_spot(view(0, 0.2, scale=100.0), [view(1, 0.8, scale=0.01)])

    assert scaled.score.value == pytest.approx(plain.score.value)
    assert scaled.score.ci_low == pytest.approx(plain.score.ci_low)


def test_the_interval_covers_zero_for_two_networks_that_see_alike():
    inside = 0
    for s in range(50):
        found = blind_spot(view(2 * s, 0.5), [view(2 * s + 1, 0.5)])
        inside += found.finding == "inconclusive"

    assert inside >= 45


@pytest.mark.parametrize("sizes", [(4, 48), (48, 4), (4, 256)])
def test_a_network_with_fewer_features_does_not_hide_because_others_see_more_noise(sizes):
    """Both see half of the prior's shift, so a quarter of its distance; all else is noise."""

    def shifted(seed: int, d: int, q: int = 128) -> Witness:
        r, shift = rng(seed), 3 / d**0.5
        queries = r.standard_normal((q, d))
        unguided, draws = (r.standard_normal((q, 1, d)) + s * shift for s in (1, 0.5))
        return witness(f"net-{seed}", queries, draws, unguided)

    for s in range(5):
        own, other = (shifted(2 * s + i, d) for i, d in enumerate(sizes))
        assert blind_spot(own, [other]).finding == "inconclusive"


def test_the_noise_of_a_distance_is_that_of_two_samples_of_one_law():
    for d, q in ((4, 400), (64, 400), (64, 48)):
        r = rng(1)
        seen = witness("net", *(r.standard_normal((q, *k, d)) for k in ((), (1,), (1,))))
        truth = np.mean([frechet_distance(*r.standard_normal((2, q, d))) for _ in range(20)])
        shifted = witness("net", seen.queries, seen.draws, seen.unguided + 5)
        expected = truth / shifted.on_all[1]

        assert shifted.noise(rng()) == pytest.approx(expected, rel=0.3)


def test_more_queries_make_the_interval_narrower():
    def width(q: int) -> float:
        scores = [
            blind_spot(view(2 * s, 0.4, q), [view(2 * s + 1, 0.6, q)]).score for s in range(10)
        ]
        return float(np.mean([score.ci_high - score.ci_low for score in scores]))

    assert width(160) < 0.6 * width(40)


def test_a_network_that_sees_nothing_at_all_scores_one():
    found = blind_spot(view(0, 0.0), [view(1, 1.0)])

    assert found.score.value == pytest.approx(1)
    assert found.finding == "hides"
    assert np.isfinite([found.score.stderr, found.score.ci_low, found.score.ci_high]).all()


def test_few_queries_have_a_score_and_no_verdict():
    found = blind_spot(view(0, 0.2, q=3), [view(1, 1.0, q=3)])

    assert found.score.ci_low is None
    assert found.confidence is None
    assert found.finding == "inconclusive"
    assert "add queries" in found.sentence("own")


def test_the_share_seen_is_one_for_unguided_draws():
    found = relative_distance(view(0, 1.0), rng())

    assert found.value == pytest.approx(1)
    assert found.ci_high - found.ci_low < 1e-6


def test_a_constant_network_and_a_lonely_one_are_refused():
    flat = witness("flat", np.ones((9, 2)), np.ones((9, 1, 2)), np.ones((9, 1, 2)))

    with pytest.raises(UsageError, match="flat sees no difference"):
        relative_distance(flat, rng())
    with pytest.raises(UsageError, match="needs another network"):
        blind_spot(view(0, 0.5), [])


def test_a_lost_draw_takes_its_query_and_its_unguided_draw_out_of_its_slot_and_no_more():
    found = view(0, 0.5, q=20)
    there = np.ones((20, 1), dtype=bool)
    there[[3, 7]] = False
    lost = Witness("net", found.queries, found.draws.copy(), found.unguided, there)
    lost.draws[~there] = np.nan
    rest = there[:, 0]
    alone = witness("net", found.queries[rest], found.draws[rest], found.unguided[rest])

    assert lost.on_all == pytest.approx(alone.on_all, rel=1e-12)


def test_a_slot_with_one_draw_left_drops_out_whole():
    found = view(0, 0.5, q=20)
    both = witness(
        "net", found.queries, np.repeat(found.draws, 2, 1), np.repeat(found.unguided, 2, 1)
    )
    there = both.there.copy()
    there[1:, 1] = False
    lost = Witness("net", both.queries, both.draws, both.unguided, there)

    assert lost.on_all == pytest.approx(found.on_all, rel=1e-12)
