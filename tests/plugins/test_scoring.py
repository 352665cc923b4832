"""Laws of fidelity, diversity and health: what perfect, random and broken draws must give."""

from __future__ import annotations

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

from fiber_audit.context import Context
from fiber_audit.contracts import Dataset, Draws, Prior, Queries
from fiber_audit.testing import GaussianPrior, LinearExtractor

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


class NoData(Dataset):
    def queries(self):
        raise NotImplementedError


def context(draws, unguided, queries, prior=None, **more):
    """An audit of given draws and queries; rows of draws are query-major."""
    d = queries[0].numel()
    extractor = Flat(noise(5, d, seed=9) / d**0.5)
    return Context(
        audit="a",
        extractor_name="linear",
        prior_name="prior",
        sampler_name="sampler",
        extractor=extractor,
        prior=prior or GaussianPrior(torch.zeros(d), torch.eye(d)),
        dataset=NoData(),
        queries=Queries(queries, tuple(f"q{i}" for i in range(len(queries)))),
        targets=extractor.features(queries),
        draws=Draws(draws, draws, torch.ones(len(draws)).bool(), torch.zeros(len(draws), 0), more),
        unguided=unguided,
    )


def table(make_draws=None, q=Q, k=K, d=8):
    """A table of q Gaussian queries; draws are made from the queries, by default free ones."""
    queries, unguided = noise(q, d, seed=1), noise(q * k, d, seed=2)
    draws = unguided if make_draws is None else make_draws(queries.repeat_interleave(k, 0))
    return context(draws, unguided, queries)


def blocky(n, seed):
    """Images that `Coarse` can nearly say."""
    coarse = Coarse().decode(
        torch.rand((n, 3, 4, 4), generator=torch.Generator().manual_seed(seed))
    )
    return (coarse + 0.02 * noise(n, 3, 16, 16, seed=seed + 1)).clamp(0, 1)


def images(make_draws=lambda x: x, **more):
    """An audit of images whose draws are made from other images of the same law."""
    draws = make_draws(blocky(Q * K, 30))
    return context(draws, blocky(Q * K, 20), blocky(Q, 10), Coarse(), **more)


def pooled(metric, audit):
    return {m.statistic: m for m in metric.measure(audit) if m.query is None}


def of_queries(metric, audit):
    return [m for m in metric.measure(audit) if m.query is not None]


@pytest.mark.parametrize("metric", [FiberLossRMS(), FiberLossSquared(), FiberLossRelative()])
def test_draws_that_are_their_queries_have_no_fiber_loss(metric):
    audit = table(lambda queries: queries.clone())

    assert pooled(metric, audit)["mean"].value == pytest.approx(0, abs=1e-12)
    assert all(m.value == pytest.approx(0, abs=1e-12) for m in of_queries(metric, audit))


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
    audit, larger = table(), table()
    larger.extractor = Flat(1000 * audit.extractor.matrix)
    larger.targets = 1000 * audit.targets

    one, thousand = (pooled(FiberLossRelative(), a)["mean"].value for a in (audit, larger))
    assert one == pytest.approx(thousand, rel=1e-5)


def test_the_squared_loss_is_the_mean_squared_norm_of_the_feature_difference():
    audit = table()
    difference = audit.draw_features - audit.targets[:, None]

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
    assert all(m.value == 1 for m in of_queries(Diversity(), audit))


def test_draws_confined_to_a_quarter_of_the_dimensions_are_half_as_diverse():
    confined = table(lambda x: x * 0 + noise(*x.shape, seed=5) * (torch.arange(8) < 2), q=100)

    # E|difference| of 2 and of 8 standard normal differences: sqrt(pi) and 35 sqrt(pi) / 16
    assert pooled(Diversity(), confined)["mean"].value == pytest.approx(16 / 35, rel=0.06)


def test_diversity_is_also_measured_in_the_features_of_another_extractor():
    audit = table(lambda x: x * 0 + noise(*x.shape, seed=5) * (torch.arange(8) < 2))
    blind = LinearExtractor(torch.eye(8)[2:])
    audit.named_extractor = {"blind": blind}.__getitem__

    found = pooled(Diversity("blind"), audit)
    assert found["mean"].value > 0.2
    assert found["mean_in_blind"].value == 0


def test_with_one_draw_diversity_has_no_value_and_a_reason():
    found = Diversity("other").measure(table(k=1))

    assert [m.value for m in found] == [None, None]
    assert all("raise draws" in m.message for m in found)


def test_health_of_draws_like_the_prior_is_one_and_no_draw_is_suspected():
    audit = images()

    for metric in (HighFrequency(), OffManifold()):
        assert pooled(metric, audit)["mean"].value == pytest.approx(1, abs=0.15)
    for metric in (HighFrequency(), OffManifold(), Saturation()):
        assert not metric.suspicious(audit).any()


def test_fine_noise_on_one_draw_in_eight_raises_suspicion_of_these_draws_alone():
    noisy = (torch.arange(Q * K) % 8 == 3)[:, None, None, None]
    audit = images(lambda x: torch.where(noisy, (x + 0.3 * noise(*x.shape)).clamp(0, 1), x))
    expected = audit.grouped(noisy.flatten())

    for metric in (HighFrequency(), OffManifold()):
        assert pooled(metric, audit)["mean"].value > 1.2
        assert torch.equal(metric.suspicious(audit), expected)


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
    assert Saturation().suspicious(audit).all()


@pytest.mark.parametrize("metric", [Saturation(), HighFrequency(), OffManifold()])
def test_health_of_tables_and_lossless_priors_has_no_value_and_a_reason(metric):
    (found,) = metric.measure(table())

    assert found.value is None
    assert found.message
    assert metric.suspicious(table()) is None


@pytest.mark.parametrize("metric", [kind() for kind in EVERY])
def test_one_query_and_equal_queries_give_finite_numbers_or_none(metric):
    same = blocky(1, 3).expand(4, -1, -1, -1)
    black = torch.zeros(4, 3, 16, 16)
    alike = context(same, same, same[:2], Coarse()), context(black, black, same[:2], Coarse())
    for audit in (table(q=1), *alike):
        for m in metric.measure(audit):
            assert m.message if m.value is None else np.isfinite(m.value)


@pytest.mark.parametrize("metric", [kind() for kind in EVERY])
def test_the_same_audit_gives_the_same_numbers_and_intervals(metric):
    assert metric.measure(images()) == metric.measure(images())


def test_the_headline_is_the_mean_of_its_per_query_rows():
    for metric in (FiberLossRMS(), FiberLossSquared(), FiberLossRelative(), Saturation()):
        audit = images()
        rows = [m.value for m in of_queries(metric, audit)]
        assert len(rows) == Q
        assert pooled(metric, audit)["mean"].value == pytest.approx(np.mean(rows))
