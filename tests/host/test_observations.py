"""Laws of what metrics see: the blocks of a scene, the bounded null, and observations."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fiber_audit import PluginError
from fiber_audit.contracts import Dataset, Extractor, Metric, Needs
from fiber_audit.contracts.null import PARTNERS
from fiber_audit.measuring import random_pairs
from fiber_audit.measuring.layout import laid_out
from fiber_audit.measuring.scene import Scene, observe
from fiber_audit.sampling import rms
from fiber_audit.testing import GaussianPrior, LinearExtractor, image_audit, seen_in

Q, K, D = 5, 3, 4
MATRIX = torch.tensor([[1.0, 0, 0, 0], [0, 2.0, 0, 0]])


class Points(Dataset):
    data_shape = (D,)
    ids = tuple(f"point-{i}" for i in range(Q))

    def load(self, indices):
        return torch.randn(Q, D, generator=torch.Generator().manual_seed(0))[list(indices)]

    def reference(self, n, generator):
        return torch.randn(n, D, generator=generator)


class Lossy(GaussianPrior):
    """Its states forget the first column."""

    lossless = False

    def encode(self, x):
        return x * torch.tensor([0.0, 1, 1, 1])


class Seen(Metric):
    """The distance of every part to its target, and the rows themselves."""

    axis, better = "fidelity", "lower"
    needs = Needs(parts=("draws", "unguided", "queries", "jittered", "reconstructions", "fresh"))

    def observe(self, block):
        return {"data": block.data, "features": block.features()}

    def summarise(self, seen):
        return []


def scene(moved=0.0, prior=GaussianPrior, matrix=MATRIX, **more):
    """An audit whose draws are its queries, moved by the same number in every column."""
    dataset = Points()
    queries = dataset.load(range(Q))
    rows = queries.repeat_interleave(K, 0)
    extractor = LinearExtractor(matrix)
    return Scene(
        ids=dataset.ids, queries=queries, labels=torch.arange(Q), extractor=extractor,
        prior=prior(torch.zeros(D), torch.eye(D)), dataset=dataset, draws=rows + moved,
        named={"all": LinearExtractor(torch.eye(D))}.__getitem__,
        unguided=torch.randn(rows.shape, generator=torch.Generator().manual_seed(1)), **more,
    )  # fmt: skip


def only(found, rows):
    """The same audit of some of its queries."""
    index = torch.tensor(rows)
    grouped = [x.reshape(Q, K, D)[index].flatten(0, 1) for x in (found.draws, found.unguided)]
    return replace(
        found,
        ids=tuple(found.ids[i] for i in rows),
        queries=found.queries[index],
        labels=found.labels[index],
        draws=grouped[0],
        unguided=grouped[1],
    )


def ceiling(found):
    block = found.block("jittered")
    return rms(block.features().double() - block.of_query.double())


def test_rows_are_query_major_and_beside_what_belongs_to_their_query():
    found = scene()
    block = found.block("draws")

    assert block.per_query == K
    assert torch.equal(block.grouped(block.data)[2, 1], block.data[2 * K + 1])
    assert torch.equal(block.grouped(block.data)[:, 0], found.queries)
    assert torch.equal(block.targets, block.features())
    assert torch.equal(block.labels, torch.arange(Q).repeat_interleave(K))
    assert found.block("queries").per_query == 1


def test_a_block_and_its_features_are_made_once():
    calls = []

    class Counting(LinearExtractor):
        def features(self, x):
            calls.append(len(x))
            return super().features(x)

    found = scene()
    found = replace(found, extractor=Counting(MATRIX))
    for _ in range(2):
        found.block("draws").features()

    assert calls == [Q, Q * K]


def test_what_a_metric_sees_does_not_depend_on_the_batch_size_or_the_other_queries():
    whole = observe(Seen(), scene(prior=Lossy), "seen")
    small = observe(Seen(), scene(prior=Lossy, batch_size=2), "seen")
    halves = [only(scene(prior=Lossy), rows) for rows in ([0, 1], [2, 3, 4])]
    parts = [observe(Seen(), half, "seen") for half in halves]

    assert {part for part, _ in whole} == set(Seen.needs.parts)
    for key, expected in whole.items():
        assert torch.equal(small[key], expected)
        assert torch.equal(torch.cat([part[key] for part in parts]), expected)


def test_the_ceiling_of_a_smooth_extractor_is_far_below_the_null_and_is_reproducible():
    found = ceiling(scene())
    null = seen_in(Seen(), scene()).null

    assert 0 < found.max() < 0.05 * null.mean()
    assert torch.equal(found, ceiling(scene()))
    assert not torch.equal(found, ceiling(scene(seed=1)))


def test_the_jitter_of_tables_is_a_hundredth_of_the_spread_of_each_column():
    spread = torch.tensor([1.0, 10.0, 100.0, 0.0])
    moved = scene(spread=spread).block("jittered").data - scene().queries

    plain = scene().block("jittered").data - scene().queries
    torch.testing.assert_close(moved, plain * spread, atol=1e-5, rtol=1e-4)
    assert plain.abs().max() < 0.05


def test_jittered_images_have_8_bits_and_stay_in_range():
    data = image_audit().block("jittered").data

    assert 0 <= data.min() < data.max() <= 1
    torch.testing.assert_close(data * 255, (data * 255).round(), atol=1e-4, rtol=0)
    assert 0.005 < (data - image_audit().queries).square().mean().sqrt() < 0.015


def test_a_lossless_prior_has_no_reconstructions():
    assert scene().block("reconstructions") is None
    assert not seen_in(Seen(), scene()).shows("reconstructions")


def test_the_reconstruction_gap_is_what_the_prior_forgets_as_the_extractor_sees_it():
    found = scene(prior=Lossy)
    block = found.block("reconstructions")
    forgotten = found.queries[:, 0].double().abs() / 2**0.5

    torch.testing.assert_close(rms(block.features().double() - block.of_query.double()), forgotten)
    aim = scene(prior=Lossy, target="reconstruction").targets
    assert torch.equal(aim[:, 0], torch.zeros(Q))
    assert torch.equal(aim[:, 1], found.targets[:, 1])


def test_fresh_samples_are_one_per_query_and_absent_where_the_dataset_knows_none():
    assert scene().block("fresh").data.shape == (Q, D)
    silent = Points()
    silent.reference = lambda n, generator: None

    assert replace(scene(), dataset=silent).block("fresh") is None


def test_features_by_another_extractor_go_through_the_catalogue():
    seen = scene()
    seen.eyes = frozenset({"all", "other"})
    block = seen.block("draws")

    assert torch.equal(block.features("all"), block.data)
    with pytest.raises(KeyError, match="other"):
        block.features("other")
    with pytest.raises(PluginError, match=r"name it in Needs\.extractors"):
        block.features("")


def test_features_are_float32_without_gradients():
    class Half(Extractor):
        network = nn.Identity()
        feature_size = D

        def features(self, x):
            return self.network(x).half()

    found = replace(scene(), extractor=Half()).block("queries").features()
    assert found.dtype == torch.float32
    assert not found.requires_grad


def test_an_array_with_other_rows_than_its_block_is_refused_in_one_sentence():
    class Pooled(Seen):
        def observe(self, block):
            return {"mean": block.data.mean(0)}

    with pytest.raises(PluginError, match=r"'pooled'.*'mean' of shape \(4,\) for 15 rows; return"):
        observe(Pooled(), scene(), "pooled")


def test_observations_are_laid_out_by_query_and_lost_draws_are_not_numbers():
    seen = seen_in(Seen(), scene(moved=0.5), lost=[4])
    draws = seen.draws("data")

    assert draws.shape == seen.unguided("data").shape == (Q, K, D)
    assert seen.queries("data").shape == (Q, D)
    assert np.argwhere(np.isnan(draws).any(-1)).tolist() == [[1, 1]]
    assert np.array_equal(draws[1, 0], scene(moved=0.5).draws[3])
    assert not np.isnan(seen.unguided("data")).any()
    assert seen.told_lost == "1 of 15 draws were lost and are left out"
    assert seen_in(Seen(), scene()).told_lost == ""


def test_a_lost_unguided_draw_is_no_number_either():
    finite = torch.ones(Q * K).bool()
    finite[7] = False
    seen = seen_in(Seen(), scene(unguided_finite=finite))

    assert np.argwhere(np.isnan(seen.unguided("data")).any(-1)).tolist() == [[2, 1]]
    assert not seen.lost.any()


def test_numbers_that_are_no_floats_become_floats_only_where_a_row_is_lost():
    flags = np.array([True, False, True, True])
    lost = np.array([[False, False], [True, False]])

    assert laid_out(flags, 2).dtype == bool
    assert np.array_equal(laid_out(flags, 2, lost), [[1, 0], [np.nan, 1]], equal_nan=True)


def test_a_mapped_file_is_never_written(tmp_path):
    lost = np.array([[True, False]])
    np.save(tmp_path / "rows.npy", np.arange(2.0))
    for mode in ("c", "r", "r+"):
        rows = np.load(tmp_path / "rows.npy", mmap_mode=mode)
        assert np.array_equal(laid_out(rows, 2, lost), [[np.nan, 1]], equal_nan=True)

    assert np.load(tmp_path / "rows.npy").tolist() == [0, 1]


def test_a_name_that_was_not_observed_is_told_with_those_that_were():
    seen = seen_in(Seen(), scene())

    with pytest.raises(LookupError, match=r"'loss' of part 'draws'.*Known: .*draws: data"):
        seen.draws("loss")
    with pytest.raises(LookupError, match=r"Needs\.whole does not ask for it"):
        seen.features("draws")
    assert seen.shows("draws", "data")
    assert not seen.shows("draws", "loss")


def test_a_generator_depends_on_its_purpose_the_audit_and_the_seed_only():
    def first(purpose, extractor="phi", **more):
        seen = seen_in(Seen(), scene(**more), extractor=extractor)
        return [*torch.rand(2, generator=seen.generator(purpose)), seen.rng(purpose).random()]

    assert first("a") == first("a")
    assert first("a") != first("b")
    assert first("a") != first("a", extractor="psi")
    assert first("a") != first("a", seed=1)


def test_the_null_is_the_distance_of_every_pair_and_symmetric():
    found = seen_in(Seen(), scene())
    whole = np.zeros((Q, Q))
    whole[~np.eye(Q, dtype=bool)] = found.null.flatten()

    assert np.array_equal(whole, whole.T)
    h = torch.from_numpy(found.features("queries")).double()
    np.testing.assert_allclose(whole, torch.cdist(h, h) / len(MATRIX) ** 0.5, rtol=1e-6)


def test_the_null_scales_with_the_features():
    nulls = [seen_in(Seen(), scene(matrix=factor * MATRIX)).null for factor in (1, 3)]
    np.testing.assert_allclose(nulls[1], 3 * nulls[0])


def test_one_query_has_no_null():
    assert seen_in(Seen(), only(scene(), [0])).null.shape == (1, 0)


def test_the_null_of_many_queries_is_a_sample_of_as_many_partners_each():
    features = np.random.default_rng(0).normal(size=(1000, 16)).astype(np.float32)
    rng = np.random.default_rng
    found = random_pairs(features, rng(1))
    h = torch.from_numpy(features).double()
    every = torch.cdist(h, h).numpy() / 4

    assert found.shape == (1000, PARTNERS)
    assert found.mean() == pytest.approx(every.sum() / (1000 * 999), rel=0.003)
    assert np.array_equal(found, random_pairs(features, rng(1)))
    assert not np.array_equal(found, random_pairs(features, rng(2)))
    for row in (0, 500, 999):  # different partners, and never the query itself
        places = np.abs(every[row] - found[row][:, None]).argmin(1)
        assert row not in places
        assert len(set(places)) == PARTNERS


def test_the_null_of_2000_queries_with_2048_features_needs_little_memory():
    features = np.random.default_rng(0).normal(size=(2000, 2048)).astype(np.float32)
    tracemalloc.start()
    random_pairs(features, np.random.default_rng(0), partners=16)
    few = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert few < 120e6  # bounded by what is held at once, however many partners there are


def test_a_scene_that_forgot_its_blocks_is_gone_without_a_collector():
    found = scene()
    observe(Seen(), found, "seen")
    pixels = weakref.ref(found.block("jittered").data)
    found.forget()
    gc.disable()
    try:
        del found
        assert pixels() is None
    finally:
        gc.enable()
