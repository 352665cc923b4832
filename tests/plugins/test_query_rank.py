"""Laws of query_rank: right samplers pass whatever phi is, wrong ones do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from fiber_audit_scoring.along_fibers import Fibers, varies
from fiber_audit_scoring.query_rank import QueryRank
from fiber_audit_scoring.rank_table import counts_in, rank_tables, ranks_in_words
from fiber_audit_scoring.ranks import Uniformity, queries_needed, uniform_ranks, uniformity
from fiber_audit_scoring.sketch import projected, sketched
from scipy import stats

from fiber_audit.measuring.scene import Scene
from fiber_audit.testing import GaussianPrior, LinearExtractor, check_metric, measure

D, D_H = 6, 2


def fibers(q, k, seed, spoil=lambda x, mean: x, d_h=D_H):
    """Queries of a random Gaussian prior, and exact draws of their fibers, or spoilt ones."""
    g = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return torch.randn(shape, generator=g, dtype=torch.float64)

    root = noise(D, D) / D**0.5
    prior = GaussianPrior(noise(D), root @ root.T + 0.1 * torch.eye(D, dtype=torch.float64))
    phi = LinearExtractor(noise(d_h, D).float())
    white = torch.linalg.cholesky(prior.covariance)
    queries = prior.mean + noise(q, D) @ white.T
    unguided = prior.mean + noise(q * k, D) @ white.T
    zero, covariance = prior.conditional(phi.matrix, torch.zeros(d_h))
    gain = torch.stack([prior.conditional(phi.matrix, e)[0] - zero for e in torch.eye(d_h)])
    mean = (zero + queries @ phi.matrix.double().T @ gain).repeat_interleave(k, 0)
    values, vectors = torch.linalg.eigh(covariance)
    exact = mean + noise(q * k, D) @ (vectors * values.clamp(min=0).sqrt()).T
    return Scene(
        ids=tuple(f"q{i}" for i in range(q)),
        queries=queries.float(),
        labels=None,
        extractor=phi,
        prior=prior,
        dataset=None,
        named={"other": LinearExtractor(torch.eye(D)[3:])}.__getitem__,
        draws=spoil(exact, mean).float(),
        unguided=unguided.float(),
        seed=seed,
    )


def found(scene, metric=None, lost=()):
    return {(s.name, s.seen_by): s for s in measure(metric or QueryRank(), scene, lost)}


def p_of(scene, metric=None, lost=()):
    return found(scene, metric, lost)["p", None].value


def test_a_hundred_exact_samplers_are_rejected_no_more_often_than_five_times_in_a_hundred():
    p = np.array([p_of(fibers(60, 4, seed)) for seed in range(100)])

    assert (p < 0.05).sum() <= 5
    assert (p < 1e-3).sum() == 0


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda x, mean: mean + 0.7 * (x - mean), id="too narrow"),
        pytest.param(lambda x, mean: mean + 1.4 * (x - mean), id="too wide"),
        pytest.param(lambda x, mean: x + 0.5 * (x - mean).std(0), id="shifted"),
        pytest.param(lambda x, mean: mean + (x - mean).abs(), id="one half only"),
    ],
)
def test_a_sampler_that_is_wrong_by_construction_is_rejected(spoil):
    scene = fibers(300, 9, 3, spoil)
    told = found(scene)

    assert told["p", None].value < 1e-3
    assert told["mean", None].ci_low > 0
    assert "stands out" in told["mean", None].message


def test_a_right_sampler_of_a_prior_that_is_right_stands_out_in_neither_and_n_is_told():
    told = found(fibers(300, 9, 3))

    assert told["p", None].value > 0.05 < told["p_unguided", None].value
    assert told["mean", None].ci_low == 0
    assert "queries would show 0.2" in told["mean", None].message


def test_a_prior_that_is_not_that_of_the_queries_stands_out_without_any_phi():
    scene = fibers(300, 4, 3)

    assert p_of(scene) > 0.05
    wrong = replace(scene, unguided=0.5 * scene.unguided)
    assert found(wrong)["p_unguided", None].value < 1e-3


def test_another_extractor_sees_what_few_components_of_data_space_do_not():
    def spoil(x, mean):
        return torch.cat([x[:, :3], mean[:, 3:] + 0.5 * (x - mean)[:, 3:]], dim=1)

    told = found(fibers(300, 9, 5, spoil, d_h=1), QueryRank(1, 0, "other"))
    assert told["p_component_1", "other"].value < 1e-6


def test_lost_draws_do_not_make_a_right_sampler_wrong():
    lost = [row for row in range(240) if row % 3 == 0 or row < 8]
    p = np.array([p_of(fibers(60, 4, seed), lost=lost) for seed in range(200, 230)])

    assert (p < 0.05).sum() <= 4
    assert found(fibers(60, 4, 1), lost=lost)["mean", None].n == 58


def test_what_phi_fixes_is_not_tested_and_where_it_fixes_all_there_is_a_reason():
    scene = fibers(60, 4, 1)
    exact = replace(scene, draws=scene.queries.repeat_interleave(4, 0))
    rounded = replace(exact, draws=exact.draws + 1e-5 * scene.draws)

    for audit in (exact, rounded):
        (only,) = measure(QueryRank(), audit)
        assert only.value is None
        assert "phi fixes every statistic" in only.message
    assert not varies(np.ones((5, 3)))


def test_too_few_queries_have_a_reason():
    (only,) = measure(QueryRank(), fibers(9, 4, 1))
    assert only.value is None
    assert "10 or more" in only.message


def test_the_metric_keeps_its_contract():
    assert check_metric(QueryRank(), fibers(30, 3, 1)) == []
    assert check_metric(QueryRank(2, 0, "other"), fibers(30, 3, 1)) == []


def test_ties_are_broken_evenly():
    rng = np.random.default_rng(0)
    pinned = uniform_ranks(np.ones(4000), np.ones((4000, 4)), rng)
    coin = rng.integers(0, 2, (4000, 5)).astype(float)
    tied = uniform_ranks(coin[:, 0], coin[:, 1:], rng)

    for at in (pinned, tied):
        assert stats.kstest(at, "uniform").pvalue > 0.01


def test_a_centre_that_only_the_draws_had_a_say_in_would_reject_a_right_sampler():
    # the mutant: distances to the mean of the draws alone
    sets = np.random.default_rng(1).normal(size=(500, 5, 3))
    centre = sets[:, 1:].mean(axis=1, keepdims=True)
    rng = np.random.default_rng(2)

    def p(distances):
        return uniformity(uniform_ranks(distances[:, 0], distances[:, 1:], rng), 4).p

    assert p(np.sqrt(((sets - centre) ** 2).sum(2))) < 1e-6
    assert p(Fibers(sets).distances()) > 0.01


def test_components_are_the_directions_that_vary_within_fibers_not_between_them():
    rng = np.random.default_rng(3)
    between, within = rng.normal(size=(50, 1, 3)) * [100, 1, 1], rng.normal(size=(50, 5, 3))
    sets = between + within * [0.001, 5, 1]
    first, second = Fibers(sets).components(2)

    assert abs(np.corrcoef(first.ravel(), sets[..., 1].ravel())[0, 1]) > 0.98
    assert abs(np.corrcoef(second.ravel(), sets[..., 2].ravel())[0, 1]) > 0.98


def uneven(e, bins, q, rng):
    """Counts of ranks whose bins are off by e, up and down."""
    shares = np.full(bins, 1 / bins) * (1 + e * np.where(np.arange(bins) % 2, 1, -1))
    return Uniformity(tuple(rng.multinomial(q, shares).tolist()))


@pytest.mark.parametrize("e", [0.0, 0.2, 0.6])
def test_the_interval_of_the_unevenness_holds_it(e):
    rng = np.random.default_rng(4)
    found = [uneven(e, 10, 300, rng) for _ in range(400)]
    ends = np.array([u.interval(0.05) for u in found])

    assert 0.92 < np.mean((ends[:, 0] <= e) & (e <= ends[:, 1])) <= 0.99
    assert np.mean([u.unevenness**2 for u in found]) == pytest.approx(e**2, abs=0.03)


def test_so_many_queries_as_it_says_show_an_unevenness_in_nine_of_ten_runs():
    rng, q = np.random.default_rng(5), queries_needed(0.25, df=9, alpha=0.01)
    shown = np.mean([uneven(0.25, 10, q, rng).p < 0.01 for _ in range(400)])

    assert 0.86 < shown < 0.94


def test_few_queries_get_few_bins_and_many_get_one_for_each_rank():
    at = np.random.default_rng(0).random(500)
    assert [len(uniformity(at[:q], 9).counts) for q in (10, 27, 500)] == [2, 5, 10]


def test_with_a_target_of_reconstructions_these_are_ranked():
    scene = fibers(60, 4, 1)

    class Halved(type(scene.prior)):
        lossless = False

        def decode(self, state):
            return state / 2

    prior = Halved(scene.prior.mean, scene.prior.covariance)
    audit = replace(scene, prior=prior, target="reconstruction", draws=scene.draws / 2)
    assert found(audit)["component_1", None].message == found(scene)["component_1", None].message


def test_a_sketch_keeps_what_is_small_and_is_the_same_in_any_block():
    x = torch.rand((4, 3, 40, 40), generator=torch.Generator().manual_seed(0))
    assert torch.equal(sketched(x[:, 0, 0, :3]), x[:, 0, 0, :3].double())
    torch.testing.assert_close(
        sketched(x)[:, :64], sketched(x[:, :1].expand(-1, 3, -1, -1))[:, :64]
    )
    torch.testing.assert_close(projected(x, 3)[1:2], projected(x[1:2], 3))


def test_the_page_has_a_histogram_for_each_audit_with_what_is_outside_the_band_outlined():
    even, odd = [50] * 10, [20, 80] + [50] * 8
    rows = [
        {"audit": audit, "metric": "query_rank", "statistic": name, "value": 0.1, "query": None,
         "seen_by": by, "message": f"p = 0.1; {ranks_in_words(counts)}"}
        for audit, name, by, counts in [
            ("a", "component_1", None, even), ("a", "distance", None, odd), ("b", "x", "dino",
            even),
        ]
    ]  # fmt: skip
    rows.append(rows[0] | {"statistic": "mean", "message": "worst"})
    first, second = rank_tables(pd.DataFrame(rows).astype({"message": "string"}))

    assert [name for name, _ in first.rows] == ["component_1", "distance"]
    assert first.rows[1][1][:3] == ("20", "80", "50")
    assert first.marked == ((1, 0), (1, 1))
    assert second.rows[0][0] == "x, seen by dino"
    assert counts_in("nothing") == ()
