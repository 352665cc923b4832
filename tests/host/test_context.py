import numpy as np
import pytest
import torch
from torch import nn

from fiber_audit import finish
from fiber_audit.context import Context, targets_of
from fiber_audit.contracts import Dataset, Extractor, Problem, Queries
from fiber_audit.report import gallery_of
from fiber_audit.testing import GaussianPrior, LinearExtractor

Q, K, D = 5, 3, 4
MATRIX = torch.tensor([[1.0, 0, 0, 0], [0, 2.0, 0, 0]])


class Points(Dataset):
    data_shape = (D,)

    def queries(self):
        data = torch.randn(Q, D, generator=torch.Generator().manual_seed(0))
        return Queries(data, tuple(f"point-{i}" for i in range(Q)))


class Lossy(GaussianPrior):
    """Its states forget the first column."""

    lossless = False

    def encode(self, x):
        return x * torch.tensor([0.0, 1, 1, 1])


def context(moved=0.0, prior=GaussianPrior, matrix=MATRIX, queries=None, **more):
    """An audit whose draws are its queries, moved by the same number in every column."""
    dataset, extractor = Points(), LinearExtractor(matrix)
    prior = prior(torch.zeros(D), torch.eye(D))
    queries = queries or dataset.queries()
    rows = queries.data.repeat_interleave(K, 0)
    targets = targets_of(extractor, prior, queries.data, "query", 64)
    problem = Problem(extractor, prior, rows, targets.repeat_interleave(K, 0))
    generator = torch.Generator().manual_seed(1)
    return Context(
        audit="a", extractor_name="phi", prior_name="gauss", sampler_name="copy",
        extractor=extractor, prior=prior, dataset=dataset, queries=queries, targets=targets,
        draws=finish(problem, rows + moved), unguided=torch.randn(rows.shape, generator=generator),
        **more,
    )  # fmt: skip


def test_draws_that_are_their_queries_have_no_fiber_loss():
    assert torch.equal(context().fiber_loss, torch.zeros(Q, K, dtype=torch.float64))


def test_the_fiber_loss_is_the_rms_of_the_feature_difference():
    expected = torch.full((Q, K), ((0.1**2 + 0.2**2) / 2) ** 0.5, dtype=torch.float64)
    torch.testing.assert_close(context(moved=0.1).fiber_loss, expected, atol=1e-6, rtol=0)


def test_what_the_extractor_ignores_costs_nothing():
    along = torch.tensor([0.0, 0.0, 5.0, -3.0])
    assert context(moved=along).fiber_loss.max() < 1e-6


def test_the_null_is_the_distance_of_every_pair_and_symmetric():
    found = context()
    whole = torch.zeros(Q, Q, dtype=torch.float64)
    whole[~torch.eye(Q, dtype=torch.bool)] = found.null.flatten()
    torch.testing.assert_close(whole, whole.T)
    h = found.query_features.double()
    torch.testing.assert_close(whole, torch.cdist(h, h) / len(MATRIX) ** 0.5)


def test_the_null_scales_with_the_features():
    torch.testing.assert_close(context(matrix=3 * MATRIX).null, 3 * context().null)


def test_the_ceiling_of_a_smooth_extractor_is_far_below_the_null_and_is_reproducible():
    found = context()
    assert 0 < found.ceiling.max() < 0.05 * found.null.mean()
    assert torch.equal(found.ceiling, context().ceiling)
    assert not torch.equal(found.ceiling, context(seed=1).ceiling)


def test_a_lossless_prior_has_no_reconstruction_gap():
    assert torch.equal(context().reconstruction_gap, torch.zeros(Q, dtype=torch.float64))


def test_the_reconstruction_gap_is_what_the_prior_forgets_as_the_extractor_sees_it():
    found = context(prior=Lossy)
    forgotten = found.queries.data[:, 0].double().abs() / 2**0.5
    torch.testing.assert_close(found.reconstruction_gap, forgotten)
    aim = targets_of(found.extractor, found.prior, found.queries.data, "reconstruction", 64)
    assert torch.equal(aim[:, 0], torch.zeros(Q))
    assert torch.equal(aim[:, 1], found.targets[:, 1])


def test_rows_are_query_major():
    found = context()
    assert found.per_query == K
    grouped = found.grouped(found.draws.data)
    assert torch.equal(grouped[2, 1], found.draws.data[2 * K + 1])
    assert torch.equal(grouped[:, 0], found.queries.data)


def test_features_do_not_depend_on_the_batch_size():
    assert torch.equal(context(batch_size=2).draw_features, context(batch_size=64).draw_features)


def test_a_generator_depends_on_its_purpose_the_audit_and_the_seed_only():
    def first(purpose, **more):
        return torch.rand(3, generator=context(**more).generator(purpose)).tolist()

    assert first("a") == first("a")
    assert first("a") != first("b")
    assert first("a") != first("a", seed=1)


def test_features_by_another_extractor_go_through_the_catalogue():
    other = LinearExtractor(torch.eye(D))
    found = context(named_extractor={"all": other}.__getitem__)
    assert torch.equal(found.features_by("all", found.queries.data), found.queries.data)
    with pytest.raises(LookupError, match="no catalogue"):
        context().features_by("all", found.queries.data)


def test_features_are_float32_on_the_cpu_without_gradients():
    class Half(Extractor):
        network = nn.Identity()
        feature_size = D

        def features(self, x):
            return self.network(x).half()

    found = context()
    found.extractor = Half()
    assert found.query_features.dtype == torch.float32
    assert not found.query_features.requires_grad


def test_a_gallery_holds_the_first_queries_and_all_their_draws():
    found = context(moved=0.1)
    gallery = gallery_of(found, most=2)
    assert gallery.query_ids == ("point-0", "point-1")
    assert gallery.queries_in_all == Q
    assert gallery.draws.shape == gallery.unguided.shape == (2, K, D)
    assert gallery.fiber_loss.tolist() == found.fiber_loss[:2].tolist()


def test_draws_farther_than_the_null_or_saturated_are_suspicious_and_no_others():
    assert not gallery_of(context(moved=0.1)).suspicious.any()
    assert gallery_of(context(moved=100.0)).suspicious.all()
    found = context()
    share = torch.zeros(Q * K)
    share[4] = 0.06
    share[5] = 0.04
    found.draws = finish(
        Problem(found.extractor, found.prior, found.draws.data, found.targets),
        found.draws.states,
        diagnostics={"saturation": share},
    )
    assert gallery_of(found).suspicious.nonzero() == ([1], [1])


def test_a_draw_that_any_metric_suspects_is_suspicious():
    flags = torch.zeros(2, Q, K, dtype=torch.bool)
    flags[0, 0, 1] = flags[1, 2, 2] = True
    found = gallery_of(context(), suspected=list(flags)).suspicious
    assert np.array_equal(found, flags.any(0).numpy())


def test_one_query_has_no_null_and_its_draws_no_suspicion():
    one = Queries(Points().queries().data[:1], ("only",))
    assert not gallery_of(context(moved=100.0, queries=one)).suspicious.any()
