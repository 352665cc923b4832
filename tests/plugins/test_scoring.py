"""Laws of fidelity, diversity and health: what perfect, random and broken draws must give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fiber_audit_scoring.diversity import Diversity
from fiber_audit_scoring.fiber_loss import FiberLossRMS, FiberLossSquared
from fiber_audit_scoring.fiber_loss_relative import FiberLossRelative
from fiber_audit_scoring.high_frequency import HighFrequency
from fiber_audit_scoring.off_manifold import OffManifold
from fiber_audit_scoring.saturation import Saturation
from torch import nn

from fiber_audit.contracts import Prior
from fiber_audit.measuring.scene import Scene
from fiber_audit.testing import GaussianPrior, LinearExtractor, measure, seen_in

Q, K = 24, 4
EVERY = [FiberLossRMS, FiberLossSquared, FiberLossRelative, Diversity, Saturation, HighFrequency]
EVERY += [OffManifold]


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Coarse(Prior):
    """An autoencoder of images that can say only 4 x 4 blocks."""

    def __init__(self):
        self.network = nn.Identity()
        self.state_shape = (3, 4, 4)

    def predict(self, x_t, t):
        raise NotImplementedError

    def decode(self, state):
        return state.repeat_interleave(4, -1).repeat_interleave(4, -2)

    def encode(self, x):
        return nn.functional.avg_pool2d(x, 4)


class Flat(LinearExtractor):
    def features(self, x):
        return super().features(x.flatten(1))


def audit_of(draws, unguided, queries, prior=None, **reported):
    """An audit of given draws and queries; rows of draws are query-major."""
    d = queries[0].numel()
    return Scene(
        ids=tuple(f"q{i}" for i in range(len(queries))),
        queries=queries,
        labels=None,
        extractor=Flat(noise(5, d, seed=9) / d**0.5),
        prior=prior or GaussianPrior(torch.zeros(d), torch.eye(d)),
        dataset=None,
        named={}.__getitem__,
        draws=draws,
        unguided=unguided,
        diagnostics=reported,
    )


def table(make_draws=None, q=Q, k=K, d=8):
    """A table of q Gaussian queries; draws are made from the queries, by default free ones."""
    queries, unguided = noise(q, d, seed=1), noise(q * k, d, seed=2)
    draws = unguided if make_draws is None else make_draws(queries.repeat_interleave(k, 0))
    return audit_of(draws, unguided, queries)


def blocky(n, seed):
    """Images that `Coarse` can nearly say."""
    coarse = Coarse().decode(
        torch.rand((n, 3, 4, 4), generator=torch.Generator().manual_seed(seed))
    )
    return (coarse + 0.02 * noise(n, 3, 16, 16, seed=seed + 1)).clamp(0, 1)


def images(make_draws=lambda x: x, **reported):
    """An audit of images whose draws are made from other images of the same law."""
    draws = make_draws(blocky(Q * K, 30))
    return audit_of(draws, blocky(Q * K, 20), blocky(Q, 10), Coarse(), **reported)


def pooled(metric, audit):
    return {s.name: s for s in measure(metric, audit) if s.query is None and s.seen_by is None}


def of_queries(metric, audit):
    return [s for s in measure(metric, audit) if s.query is not None]


def suspected(metric, audit):
    return metric.suspicious(seen_in(metric, audit))


@pytest.mark.parametrize("metric", [FiberLossRMS(), FiberLossSquared(), FiberLossRelative()])
def test_draws_that_are_their_queries_have_no_fiber_loss(metric):
    audit = table(lambda queries: queries.clone())

    assert pooled(metric, audit)["mean"].value == pytest.approx(0, abs=1e-12)
    assert all(s.value == pytest.approx(0, abs=1e-12) for s in of_queries(metric, audit))


def test_a_step_along_the_fiber_costs_nothing_and_a_step_across_it_costs_its_length():
    audit = table()
    matrix = audit.extractor.matrix
    along = torch.linalg.svd(matrix).Vh[-1]
    across = torch.linalg.pinv(matrix) @ torch.full((5,), 0.3)

    on = pooled(FiberLossRMS(), table(lambda x: x + 10 * along))
    off = pooled(FiberLossRMS(), table(lambda x: x + across))
    assert on["mean"].value == pytest.approx(0, abs=1e-5)
    assert off["mean"].value == pytest.approx(0.3, abs=1e-6)
    assert off["median"].value == pytest.approx(0.3, abs=1e-6)


def test_draws_of_other_queries_are_at_the_null():
    audit = table(lambda queries: queries.roll(3 * K, 0), q=200)
    found = pooled(FiberLossRelative(), audit)

    assert found["mean"].value == pytest.approx(1, abs=0.08)
    assert found["mean"].ci_low < 1 < found["mean"].ci_high
    assert found["unguided"].value == pytest.approx(1, abs=0.08)
    assert 0 < found["ceiling"].value < 0.05


def test_the_relative_loss_does_not_depend_on_the_unit_of_the_features():
    audit = table()
    larger = replace(audit, extractor=Flat(1000 * audit.extractor.matrix))

    one, thousand = (pooled(FiberLossRelative(), a)["mean"].value for a in (audit, larger))
    assert one == pytest.approx(thousand, rel=1e-5)


def test_the_squared_loss_is_the_mean_squared_norm_of_the_feature_difference():
    audit = table()
    found = audit.extractor.features(audit.draws)
    difference = found - audit.targets.repeat_interleave(K, 0)

    expected = difference.double().square().sum(-1).mean().item()
    assert pooled(FiberLossSquared(), audit)["mean"].value == pytest.approx(expected, rel=1e-6)


def test_the_reconstruction_gap_exists_only_for_a_lossy_prior():
    assert "reconstruction_gap" not in pooled(FiberLossRelative(), table())
    assert 0 < pooled(FiberLossRelative(), images())["reconstruction_gap"].value < 1


def test_identical_draws_have_no_diversity():
    assert pooled(Diversity(), table(lambda queries: queries.clone()))["mean"].value == 0


def test_unguided_draws_are_exactly_as_diverse_as_the_prior():
    audit = table()

    assert pooled(Diversity(), audit)["mean"].value == 1
    assert all(s.value == 1 for s in of_queries(Diversity(), audit))


def test_draws_confined_to_a_quarter_of_the_dimensions_are_half_as_diverse():
    confined = table(lambda x: x * 0 + noise(*x.shape, seed=5) * (torch.arange(8) < 2), q=100)

    # E|difference| of 2 and of 8 standard normal differences: sqrt(pi) and 35 sqrt(pi) / 16
    assert pooled(Diversity(), confined)["mean"].value == pytest.approx(16 / 35, rel=0.06)


def test_diversity_is_also_measured_in_the_features_of_another_extractor():
    audit = table(lambda x: x * 0 + noise(*x.shape, seed=5) * (torch.arange(8) < 2))
    blind = LinearExtractor(torch.eye(8)[2:])
    audit = replace(audit, named={"blind": blind}.__getitem__)

    found = {
        s.seen_by: s.value
        for s in measure(Diversity("blind"), audit)
        if s.query is None and s.name == "mean"
    }
    assert found[None] > 0.2
    assert found["blind"] == 0


def test_with_one_draw_diversity_has_no_value_and_a_reason():
    audit = replace(table(k=1), named={"other": LinearExtractor(torch.eye(8))}.__getitem__)
    found = measure(Diversity("other"), audit)

    assert [(s.seen_by, s.value) for s in found] == [(None, None), ("other", None)]
    assert all("raise draws" in s.message for s in found)


def test_health_of_draws_like_the_prior_is_one_and_no_draw_is_suspected():
    audit = images()

    for metric in (HighFrequency(), OffManifold()):
        assert pooled(metric, audit)["mean"].value == pytest.approx(1, abs=0.15)
    for metric in (HighFrequency(), OffManifold(), Saturation()):
        assert not suspected(metric, audit).any()


def test_fine_noise_on_one_draw_in_eight_raises_suspicion_of_these_draws_alone():
    noisy = (torch.arange(Q * K) % 8 == 3)[:, None, None, None]
    audit = images(lambda x: torch.where(noisy, (x + 0.3 * noise(*x.shape)).clamp(0, 1), x))
    expected = noisy.reshape(Q, K).numpy()

    for metric in (HighFrequency(), OffManifold()):
        assert pooled(metric, audit)["mean"].value > 1.2
        assert np.array_equal(suspected(metric, audit), expected)


def test_the_high_frequency_share_ignores_brightness_contrast_and_place():
    from fiber_audit_scoring.high_frequency import high_frequency_share

    x = noise(3, 3, 8, 8).double()
    share = high_frequency_share(x)
    torch.testing.assert_close(high_frequency_share(0.2 * x + 0.7), share)
    torch.testing.assert_close(high_frequency_share(x.roll(3, -1)), share)


def test_burnt_out_draws_are_saturated_and_suspected():
    audit = images(lambda x: (100 * (x - 0.5)).clamp(0, 1), saturation=torch.full((Q * K,), 0.9))
    found = pooled(Saturation(), audit)

    assert found["mean"].value > 0.9 > 0.1 > found["unguided"].value
    assert found["outside"].value == pytest.approx(0.9)
    assert suspected(Saturation(), audit).all()


@pytest.mark.parametrize("metric", [Saturation(), HighFrequency(), OffManifold()])
def test_health_of_tables_and_lossless_priors_has_no_value_and_a_reason(metric):
    (found,) = measure(metric, table())

    assert found.value is None
    assert found.message
    assert suspected(metric, table()) is None


@pytest.mark.parametrize("metric", [kind() for kind in EVERY])
def test_one_query_and_equal_queries_give_finite_numbers_or_none(metric):
    same = blocky(1, 3).expand(4, -1, -1, -1)
    black = torch.zeros(4, 3, 16, 16)
    alike = audit_of(same, same, same[:2], Coarse()), audit_of(black, black, same[:2], Coarse())
    for audit in (table(q=1), *alike):
        for s in measure(metric, audit):
            assert s.message if s.value is None else np.isfinite(s.value)


@pytest.mark.parametrize("metric", [kind() for kind in EVERY])
def test_the_same_audit_gives_the_same_numbers_and_intervals(metric):
    assert measure(metric, images()) == measure(metric, images())


def test_the_headline_is_the_mean_of_its_per_query_rows():
    for metric in (FiberLossRMS(), FiberLossSquared(), FiberLossRelative(), Saturation()):
        audit = images()
        rows = [s.value for s in of_queries(metric, audit)]
        assert len(rows) == Q
        assert pooled(metric, audit)["mean"].value == pytest.approx(np.mean(rows))


def test_the_median_is_that_of_all_draws_and_not_moved_by_a_few_far_ones():
    far = (torch.arange(Q * K) % 8 == 3)[:, None]
    audit = table(lambda x: x + 0.1 + 1000 * far)
    found = pooled(FiberLossRelative(), audit)
    distances = seen_in(FiberLossRelative(), audit).draws("distance")
    null = found["random_pairs"].value

    assert found["median"].value == pytest.approx(np.median(distances) / null)
    assert found["median"].value < 1 < found["mean"].value


def test_diversity_is_the_mean_distance_of_pairs():
    audit = images()
    expected = [torch.pdist(x.flatten(1).double()).mean() / 768**0.5 for x in audit.draws.split(K)]

    assert pooled(Diversity(), audit)["draws"].value == pytest.approx(np.mean(expected), rel=1e-12)


def test_a_query_without_spread_of_its_own_costs_only_its_own_row():
    audit = table()
    unguided = audit.unguided.clone()
    unguided[:K] = unguided[0]
    found = of_queries(Diversity(), replace(audit, unguided=unguided))

    assert [s.query for s in found] == [f"q{i}" for i in range(1, Q)]
