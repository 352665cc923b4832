"""Laws of the set metrics, the blind-spot matrix and the edit response on a world in closed form.

Queries are standard normal in eight dimensions. Network `a` sees the first four, `b` the last
four, `twin` is `a` under another name. The prior's own draws are too wide and off centre.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from fiber_audit_fid.blind_spot_metric import BlindSpotMetric, blind_spot_matrix
from fiber_audit_fid.edit_response import EditResponse
from fiber_audit_fid.frechet import frechet_distance
from fiber_audit_fid.set_metrics import (
    Coverage,
    Density,
    FrechetDistance,
    GaussianKernelDistance,
    KernelDistance,
    Precision,
    Recall,
)
from torch import Tensor, nn

from fiber_audit.context import Context
from fiber_audit.contracts import Dataset, Draws, Extractor, Queries
from fiber_audit.errors import DataError, UsageError, WeightsError
from fiber_audit.records import frame
from fiber_audit.testing import GaussianPrior, LinearExtractor

ALL = (
    FrechetDistance,
    KernelDistance,
    GaussianKernelDistance,
    Precision,
    Recall,
    Density,
    Coverage,
)


class Normal(Dataset):
    data_shape = (8,)

    def __init__(self, n: int, known: bool = True) -> None:
        self.n, self.known = n, known

    def queries(self) -> Queries:
        data = torch.randn(self.n, 8, generator=torch.Generator().manual_seed(0))
        return Queries(data, tuple(f"q{i}" for i in range(self.n)))

    def reference(self, n: int, generator: torch.Generator) -> Tensor | None:
        return torch.randn(n, 8, generator=generator) if self.known else None


def world(
    n: int = 60, k: int = 2, seen: float = 0.1, unseen: float = 1.0, known: bool = True
) -> Context:
    """Draws keep a share `seen` of the prior's gap where `a` looks, `unseen` where `b` looks."""
    dataset = Normal(n, known)
    queries = dataset.queries()
    generator = torch.Generator().manual_seed(1)
    unguided = 0.5 + 1.3 * torch.randn(n * k, 8, generator=generator)
    share = torch.tensor([seen] * 4 + [unseen] * 4)
    rows = queries.data.repeat_interleave(k, 0)
    draws = rows + share * (unguided - rows)
    eye = torch.eye(8)
    networks = {
        "a": LinearExtractor(eye[:4]),
        "twin": LinearExtractor(eye[:4]),
        "b": LinearExtractor(eye[4:]),
    }

    def named(name: str) -> Extractor:
        if name not in networks:
            raise WeightsError(f"{name}: its weights are absent; put them somewhere.")
        return networks[name]

    return Context(
        audit="a/gauss/toy",
        extractor_name="a",
        prior_name="gauss",
        sampler_name="toy",
        extractor=networks["a"],
        prior=GaussianPrior(torch.zeros(8), eye),
        dataset=dataset,
        queries=queries,
        targets=networks["a"].features(queries.data),
        draws=Draws(draws, draws, torch.ones(n * k, dtype=torch.bool), torch.zeros(n * k, 0)),
        unguided=unguided,
        named_extractor=named,
    )


def by_statistic(metric, context: Context, name: str | None = None) -> dict:
    return {m.statistic: m for m in metric.measure(context) if name in (None, m.metric)}


def test_the_mean_is_over_slots_of_as_many_draws_as_queries():
    context = world()
    found = by_statistic(FrechetDistance(), context)
    slots = context.grouped(context.draws.data)[..., :4]
    wanted = [frechet_distance(slots[:, j], context.queries.data[:, :4]) for j in range(2)]

    assert found["mean"].value == pytest.approx(np.mean(wanted))
    assert found["mean"].n == 60
    assert found["mean"].ci_low < found["mean"].value < found["mean"].ci_high


def test_guided_draws_lie_below_the_floor_of_fresh_samples_and_unguided_ones_above():
    found = by_statistic(FrechetDistance(), world())

    assert found["mean"].ci_high < found["floor"].value < found["unguided"].ci_low


def test_the_limit_takes_the_bias_away():
    found = by_statistic(FrechetDistance(), world(n=400, seen=1.0))
    truth = 4 * (0.5**2 + 0.3**2)

    assert abs(found["limit"].value - truth) < abs(found["mean"].value - truth) + 0.05
    assert found["limit"].ci_low < truth < found["limit"].ci_high
    assert by_statistic(FrechetDistance(), world(n=20))["limit"].value is None


def test_another_extractor_can_look():
    own, other = FrechetDistance(), FrechetDistance(extractor="b")

    assert by_statistic(own, world())["mean"].value < by_statistic(other, world())["mean"].value / 5
    assert {m.metric for m in other.measure(world())} == {"frechet_distance:b"}


@pytest.mark.parametrize("kind", ALL)
def test_every_metric_gives_finite_numbers_the_same_every_time(kind):
    first, again = kind().measure(world()), kind().measure(world())

    assert first == again
    assert all(m.value is None or np.isfinite(m.value) for m in first)
    assert {m.metric for m in first} == {kind.name}
    assert {"mean", "unguided", "floor"} <= {m.statistic for m in first}


@pytest.mark.parametrize("kind", ALL)
def test_the_floor_is_better_than_unguided_in_the_direction_that_is_declared(kind):
    found = by_statistic(kind(), world(n=120))
    sign = 1 if kind.better == "higher" else -1

    if kind is not Recall:  # a wide prior covers everything
        assert sign * found["floor"].value > sign * found["unguided"].value


@pytest.mark.parametrize("kind", ALL)
def test_draws_can_be_held_against_fresh_samples_of_the_data(kind):
    assert by_statistic(kind(against="data"), world())["mean"].value is not None
    with pytest.raises(DataError, match="knows no fresh samples"):
        kind(against="data").measure(world(known=False))
    assert "floor" not in by_statistic(kind(), world(known=False))


def with_draws(context: Context, draws: Tensor) -> Context:
    return dataclasses.replace(context, draws=dataclasses.replace(context.draws, data=draws))


def test_a_collapsed_sampler_is_precise_and_dense_and_covers_nothing():
    context = world(n=120)
    generator = torch.Generator().manual_seed(2)
    collapsed = 0.05 * torch.randn(context.draws.data.shape, generator=generator)
    found = {
        kind: by_statistic(kind(), with_draws(context, collapsed))["mean"].value
        for kind in (Precision, Recall, Density, Coverage)
    }

    assert found[Precision] > 0.8
    assert found[Recall] < 0.3
    assert found[Density] > 0.9
    assert found[Coverage] < 0.5


def test_the_kernel_distance_is_unbiased_for_draws_that_copy_their_queries_in_part():
    """Draws with the queries' law, each tied to its own query: 0 on average, pairs left out."""
    values = []
    for seed in range(40):
        context = world(n=60, k=1)
        generator = torch.Generator().manual_seed(seed)
        fresh = torch.randn(60, 8, generator=generator)
        tied = 0.8 * context.queries.data + 0.6 * fresh
        values.append(by_statistic(KernelDistance(), with_draws(context, tied))["mean"].value)
    stderr = np.std(values) / len(values) ** 0.5

    assert abs(np.mean(values)) < 4 * stderr


def test_the_features_of_an_extractor_are_computed_once_for_all_metrics():
    context = world()
    counted = []
    context.extractor.network.register_forward_hook(lambda *_: counted.append(1))
    for kind in ALL:
        kind(against="queries").measure(world_without_fresh(context))
    once = len(counted)
    BlindSpotMetric(["b"]).measure(context)

    assert len(counted) == once


def world_without_fresh(context: Context) -> Context:
    context.dataset.known = False
    return context


def test_the_limit_needs_more_queries_than_features():
    found = by_statistic(FrechetDistance(), world(n=31))["limit"]

    assert found.value is None
    assert "31 queries, 4 features: the extrapolation to infinite n needs 32" in found.message


def test_too_few_queries_are_one_sentence():
    with pytest.raises(UsageError, match="frechet_distance: 1 queries; it needs at least 2"):
        FrechetDistance().measure(world(n=1))
    with pytest.raises(UsageError, match="precision: 3 queries; it needs at least 4"):
        Precision().measure(world(n=3))
    assert by_statistic(FrechetDistance(), world(n=2))["mean"].stderr is None


def test_a_network_hides_what_it_pinned_and_others_still_see():
    metric = BlindSpotMetric(["a", "b"])
    found = by_statistic(metric, world(), "blind_spot")
    scores = by_statistic(metric, world(), "blind_spot_score")

    assert found["measured_by:b"].value == pytest.approx(1)
    assert found["measured_by:a"].ci_high < found["measured_by:b"].ci_low
    assert scores["mean"].value == pytest.approx(1 - found["measured_by:a"].value)
    assert scores["mean"].ci_low > 0.5
    assert scores["confidence"].value > 0.99
    assert scores["confidence"].message == "hides"
    assert "a sees" in scores["mean"].message
    assert "it hides" in scores["mean"].message


def test_raw_distances_stand_beside_the_shares():
    found = by_statistic(BlindSpotMetric(["b"]), world(), "blind_spot")
    share = found["frechet_by:a"].value / found["unguided_by:a"].value
    distance = by_statistic(FrechetDistance(), world())

    assert found["measured_by:a"].value == pytest.approx(share)
    assert found["frechet_by:a"].value == pytest.approx(distance["mean"].value)
    assert found["unguided_by:a"].value == pytest.approx(distance["unguided"].value)


def test_unguided_draws_score_zero_exactly():
    context = world()
    null = dataclasses.replace(context.draws, data=context.unguided)
    context = dataclasses.replace(context, draws=null)
    scores = by_statistic(BlindSpotMetric(["b"]), context, "blind_spot_score")

    assert scores["mean"].value == 0
    assert scores["confidence"].message == "hides nothing"


def test_a_network_that_sees_more_than_the_others_hides_nothing():
    found = by_statistic(BlindSpotMetric(["b"]), world(seen=1.0, unseen=0.1), "blind_spot_score")

    assert found["mean"].ci_high < 0
    assert found["confidence"].message == "hides nothing"


def test_an_absent_network_costs_its_own_column():
    found = by_statistic(BlindSpotMetric(["clip", "b"]), world(), "blind_spot")

    assert found["measured_by:clip"].value is None
    assert "weights are absent" in found["measured_by:clip"].message
    assert found["measured_by:b"].value is not None


def test_the_same_network_under_another_name_is_no_witness():
    metric = BlindSpotMetric(["twin"])
    scores = by_statistic(metric, world(), "blind_spot_score")

    assert scores["mean"].value is None
    assert "no other network" in scores["mean"].message
    assert "measured_by:twin" not in by_statistic(metric, world())


def test_the_matrix_of_two_audits_has_its_own_view_on_the_diagonal():
    rows = []
    for guided_by in ("a", "b"):
        context = world() if guided_by == "a" else world(seen=1.0, unseen=0.1)
        context = dataclasses.replace(
            context,
            audit=f"{guided_by}/gauss/toy",
            extractor_name=guided_by,
            extractor=context.named_extractor(guided_by),
        )
        rows += [
            {
                "audit": context.audit,
                "extractor": guided_by,
                "prior": "gauss",
                "sampler": "toy",
                "metric": m.metric,
                "statistic": m.statistic,
                "value": m.value,
            }
            for m in BlindSpotMetric(["a", "b"]).measure(context)
        ]
    shares = blind_spot_matrix(frame(rows))
    raw = blind_spot_matrix(frame(rows), "frechet_by")

    assert list(shares.index) == ["a/gauss/toy", "b/gauss/toy"]
    assert sorted(shares.columns) == ["a", "b"]
    assert shares.loc["a/gauss/toy", "a"] < 0.2 < 0.9 < shares.loc["a/gauss/toy", "b"]
    assert shares.loc["b/gauss/toy", "b"] < 0.2 < 0.9 < shares.loc["b/gauss/toy", "a"]
    assert list(raw.index) == ["unguided/gauss", "a/gauss/toy", "b/gauss/toy"]
    assert (raw.loc["unguided/gauss"] > 0).all()


class Blobs(Dataset):
    """Two classes of 12 x 12 images: a light square left or right, in a random colour."""

    data_shape = (3, 12, 12)

    def queries(self) -> Queries:
        data, labels = self.draw(80, torch.Generator().manual_seed(0))
        return Queries(data, tuple(map(str, range(80))), labels)

    def reference(self, n: int, generator: torch.Generator) -> Tensor:
        return self.draw(n, generator)[0]

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        labels = torch.randint(2, (n,), generator=generator)
        colour = torch.tensor([0.9, 0.5, 0.2]) + 0.05 * torch.randn(n, 3, generator=generator)
        x = torch.zeros(n, 3, 12, 12)
        for i, label in enumerate(labels.tolist()):
            x[i, :, 4:8, 6 * label + 1 : 6 * label + 5] = colour[i, :, None, None]
        return (x + 0.02 * torch.randn(x.shape, generator=generator)).clamp(0, 1), labels


class Pooled(nn.Module):
    """The mean colour (knows no place), or the columns' brightness (knows no colour)."""

    def __init__(self, colour: bool) -> None:
        super().__init__()
        self.colour = colour

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) if self.colour else x.mean(1).mean(1)


class PooledExtractor(Extractor):
    def __init__(self, colour: bool) -> None:
        self.network, self.feature_size = Pooled(colour), 3 if colour else 12

    def features(self, x: Tensor) -> Tensor:
        return self.network(x)


def picture_world(colour: bool) -> Context:
    context, dataset = world(), Blobs()
    extractor = PooledExtractor(colour)
    return dataclasses.replace(
        context, dataset=dataset, queries=dataset.queries(), extractor=extractor
    )


def test_a_colour_network_sees_recolouring_and_misses_a_dropped_mode():
    found = by_statistic(EditResponse(), picture_world(colour=True))

    assert found["recolour"].ci_low > 5
    assert found["mode_drop"].ci_low < 1.5
    assert found["recolour"].message == "strength 0.5: seen"
    seen = [m.ci_low > 1 for edit, m in found.items() if edit != "mean"]
    assert found["mean"].value == sum(seen) / 5
    assert found["mean"].message == f"{sum(seen)} of 5 edits are seen"


def test_a_shape_network_sees_a_dropped_mode_and_misses_recolouring():
    found = by_statistic(EditResponse(), picture_world(colour=False))

    assert found["mode_drop"].value > 5
    assert found["mode_drop"].ci_low > 1
    assert found["recolour"].ci_low < 1.5


def test_an_edit_of_strength_zero_moves_nothing():
    found = by_statistic(EditResponse(strength=0.0), picture_world(colour=True))

    assert found.pop("mean").value == 0
    assert [round(m.value, 4) for m in found.values()] == [1.0] * 5
    assert all("not shown" in m.message for m in found.values())


def test_without_labels_only_the_dropped_mode_is_left_out():
    context = picture_world(colour=True)
    blind = dataclasses.replace(context.queries, labels=None)
    found = by_statistic(EditResponse(), dataclasses.replace(context, queries=blind))

    assert found["mode_drop"].value is None
    assert found["blur"].value is not None
    assert found["mean"].n == 4


def test_tables_have_no_edits():
    with pytest.raises(UsageError, match="are no images"):
        EditResponse().measure(world())
