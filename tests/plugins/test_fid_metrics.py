"""Laws of the set metrics on a world in closed form."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from fiber_audit_fid.frechet import frechet_distance
from fiber_audit_fid.set_metrics import (
    Coverage,
    Density,
    Frechet,
    GaussianKernel,
    Kernel,
    Precision,
    Recall,
)

from fiber_audit.contracts import Statistic
from fiber_audit.errors import DataError, UsageError, WeightsError
from fiber_audit.testing import check_metric

world = runpy.run_path(str(Path(__file__).with_name("fid_world.py")))["world"]
ALL = (Frechet, Kernel, GaussianKernel, Precision, Recall, Density, Coverage)


def by_name(metric, seen) -> dict[str, Statistic]:
    return {s.name: s for s in metric.summarise(seen)}


@pytest.mark.parametrize("kind", ALL)
def test_every_metric_keeps_its_contract(kind):
    assert check_metric(kind()) == []


def test_the_mean_is_over_slots_of_as_many_draws_as_queries():
    seen = world()
    found = by_name(Frechet(), seen)
    draws, queries = seen.features("draws"), seen.features("queries")
    wanted = [frechet_distance(draws[:, j], queries) for j in range(2)]

    assert found["mean"].value == pytest.approx(np.mean(wanted))
    assert found["mean"].n == 60
    assert found["mean"].ci_low < found["mean"].value < found["mean"].ci_high


def test_a_lost_draw_leaves_its_slot_with_its_querys_row_and_the_other_slots_whole():
    seen = world(lost=[(3, 0), (7, 0)])
    found = by_name(Frechet(), seen)
    draws, queries = seen.features("draws"), seen.features("queries")
    rest = np.delete(np.arange(60), [3, 7])
    wanted = [frechet_distance(draws[rest, 0], queries[rest])]
    wanted += [frechet_distance(draws[:, 1], queries)]

    assert found["mean"].value == pytest.approx(np.mean(wanted), rel=1e-12)
    assert found["mean"].n == 60
    assert found["mean"].message == "2 of 120 draws were lost and are left out"
    assert found["unguided"] == by_name(Frechet(), world())["unguided"]


def test_a_query_that_lost_all_of_its_draws_is_not_counted():
    found = by_name(Frechet(), world(lost=[(3, 0), (3, 1)]))["mean"]

    assert found.n == 59
    assert found.ci_low < found.value < found.ci_high


@pytest.mark.parametrize("kind", ALL)
def test_a_slot_with_too_few_draws_drops_out_and_the_last_one_leaves_no_number(kind):
    first, every = [(i, 0) for i in range(30)], [(i, j) for i in range(30) for j in range(2)]
    half = by_name(kind(), world(n=30, lost=first[kind().smallest - 1 :]))
    second = world(n=30).features("draws", "a")[:, 1:]
    only = by_name(kind(), world(n=30, k=1, draws=np.concatenate([second, second], axis=2)))
    none = by_name(kind(), world(n=30, lost=every))

    assert half["mean"].value == pytest.approx(only["mean"].value, rel=1e-9)
    assert none["mean"].value is None
    assert "draws left" in none["mean"].message


def test_guided_draws_lie_below_the_floor_of_fresh_samples_and_unguided_ones_above():
    found = by_name(Frechet(), world())

    assert found["mean"].ci_high < found["floor"].value < found["unguided"].ci_low


def test_the_limit_takes_the_bias_away():
    found = by_name(Frechet(), world(n=400, seen=1.0))
    truth = 4 * (0.5**2 + 0.3**2)

    assert abs(found["limit"].value - truth) < abs(found["mean"].value - truth) + 0.05
    assert found["limit"].ci_low < truth < found["limit"].ci_high
    assert by_name(Frechet(), world(n=20))["limit"].value is None


def test_another_extractor_can_look_and_is_named():
    own, other = Frechet(), Frechet(extractor="b")
    found = by_name(other, world())

    assert by_name(own, world())["mean"].value < found["mean"].value / 5
    assert {s.seen_by for s in found.values()} == {"b"}
    assert {s.seen_by for s in own.summarise(world())} == {None}
    with pytest.raises(WeightsError, match="clip: its weights are absent"):
        by_name(Frechet(extractor="clip"), world())


@pytest.mark.parametrize("kind", ALL)
def test_every_metric_gives_finite_numbers_the_same_every_time(kind):
    first, again = by_name(kind(), world()), by_name(kind(), world())

    assert first == again
    assert all(s.value is None or np.isfinite(s.value) for s in first.values())
    assert {"mean", "unguided", "floor"} <= first.keys()


@pytest.mark.parametrize("kind", ALL)
def test_the_floor_is_better_than_unguided_in_the_direction_that_is_declared(kind):
    found = by_name(kind(), world(n=120))
    sign = 1 if kind.better == "higher" else -1

    if kind is not Recall:  # a wide prior covers everything
        assert sign * found["floor"].value > sign * found["unguided"].value


@pytest.mark.parametrize("kind", ALL)
def test_draws_can_be_held_against_fresh_samples_of_the_data(kind):
    assert by_name(kind(against="data"), world())["mean"].value is not None
    with pytest.raises(DataError, match="knows no fresh samples"):
        by_name(kind(against="data"), world(fresh=False))
    assert "floor" not in by_name(kind(), world(fresh=False))


def test_a_collapsed_sampler_is_precise_and_dense_and_covers_nothing():
    collapsed = 0.05 * np.random.default_rng(2).standard_normal((120, 2, 8))
    found = {
        kind: by_name(kind(), world(n=120, draws=collapsed))["mean"].value
        for kind in (Precision, Recall, Density, Coverage)
    }

    assert found[Precision] > 0.8
    assert found[Recall] < 0.3
    assert found[Density] > 0.9
    assert found[Coverage] < 0.5


def test_the_kernel_distance_is_unbiased_for_draws_that_copy_their_queries_in_part():
    """Draws with the queries' law, each tied to its own query: 0 on average, pairs left out."""
    values = []
    queries = np.concatenate([world().features("queries", name) for name in ("a", "b")], axis=1)
    for seed in range(40):
        new = np.random.default_rng(seed).standard_normal((60, 8))
        tied = (0.8 * queries + 0.6 * new)[:, None]
        values.append(by_name(Kernel(), world(k=1, draws=tied))["mean"].value)
    stderr = np.std(values) / len(values) ** 0.5

    assert abs(np.mean(values)) < 4 * stderr


def test_the_limit_needs_more_queries_than_features():
    found = by_name(Frechet(), world(n=31))["limit"]

    assert found.value is None
    assert "31 queries, 4 features: the extrapolation to infinite n needs 32" in found.message
    lost = by_name(Frechet(), world(n=32, lost=[(0, 0)]))["limit"]
    assert "31 queries" in lost.message


def test_too_few_queries_are_one_sentence():
    with pytest.raises(UsageError, match="1 queries: give at least 2"):
        by_name(Frechet(), world(n=1))
    with pytest.raises(UsageError, match="3 queries: give at least 4"):
        by_name(Precision(), world(n=3))
    assert by_name(Frechet(), world(n=2))["mean"].stderr is None


def test_features_that_are_not_finite_are_refused_where_no_draw_was_lost():
    seen = world()
    seen.features("draws", "b")[5, 1, 2] = np.nan

    with pytest.raises(UsageError, match="1 of 60 rows that are not finite, the first is row 5"):
        by_name(Frechet(extractor="b"), seen)
