"""One lost draw costs one draw: what every metric of scoring and Color MNIST does without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fiber_audit_color_mnist.dataset import ColorMNIST
from fiber_audit_color_mnist.extractors import Colour, Shape
from fiber_audit_color_mnist.metrics import (
    ColourDev,
    ColourKept,
    ColourKL,
    ColourW1,
    ShapeAgreement,
)
from fiber_audit_color_mnist.metrics.colour_kept import colour_distance, distance_of_pairs
from fiber_audit_color_mnist.metrics.colour_kl import kl_divergence
from fiber_audit_color_mnist.metrics.colour_law import counts_of, law
from fiber_audit_color_mnist.metrics.colour_w1 import wasserstein
from fiber_audit_color_mnist.priors import LatentFlow
from fiber_audit_scoring.diversity import Diversity
from fiber_audit_scoring.fiber_loss import FiberLossRMS, FiberLossSquared
from fiber_audit_scoring.fiber_loss_relative import FiberLossRelative
from fiber_audit_scoring.high_frequency import HighFrequency
from fiber_audit_scoring.off_manifold import OffManifold
from fiber_audit_scoring.saturation import Saturation

from fiber_audit.measuring.scene import Scene
from fiber_audit.testing import measure, seen_in

Q, K = 6, 4
METRICS = [FiberLossRMS, FiberLossSquared, FiberLossRelative, Diversity, Saturation, HighFrequency]
METRICS += [OffManifold, ColourKL, ColourW1, ColourDev, ColourKept, ShapeAgreement]
every_metric = pytest.mark.parametrize("kind", METRICS)
ONE = [9]
"""The row that is lost: draw 1 of query 2."""


def made(kind):
    return kind(extractor="colour") if kind is Diversity else kind()


@pytest.fixture(scope="module")
def scene():
    data = ColorMNIST(Q)
    drawn, free = (data.reference(Q * K, torch.Generator().manual_seed(s)) for s in (1, 2))
    return Scene(
        ids=data.ids,
        queries=data.load(range(Q)),
        labels=data.labels,
        extractor=Shape(),
        prior=LatentFlow(),
        dataset=data,
        named={"colour": Colour()}.__getitem__,
        draws=drawn,
        unguided=free,
        diagnostics={"saturation": torch.rand(Q * K, generator=torch.Generator().manual_seed(3))},
    )


def kept_of(lost):
    mask = np.ones(Q * K, dtype=bool)
    mask[list(lost)] = False
    return mask.reshape(Q, K)


def pairs(data):
    """Mean RMS distance of all pairs of one query's draws, (q,); NaN where there is no pair."""
    return np.array([float(torch.pdist(x.flatten(1).double()).mean()) for x in data]) / 2352**0.5


def by_hand(kind, scene, seen, kept):
    """The headline of the draws that are kept."""
    if kind is Diversity:
        draws = [x[k] for x, k in zip(scene.draws.split(K), torch.from_numpy(kept), strict=True)]
        return np.nanmean(pairs(draws)) / pairs(scene.unguided.split(K)).mean()
    if kind in (ColourKL, ColourW1):
        distance = kl_divergence if kind is ColourKL else wasserstein
        return distance(counts_of(seen.draws("background")[kept]), law())
    if kind is ColourKept:
        own = seen.queries("background")
        far = colour_distance(seen.draws("background"), own[:, None])
        return far[kept].mean() / distance_of_pairs(own)
    names = {ColourDev: "deviation", ShapeAgreement: "agreement"}
    names |= {Saturation: "share", HighFrequency: "share"}
    name = names.get(kind, "distance")
    rows = seen.draws(name)[kept]
    if kind in (HighFrequency, OffManifold):
        return rows.mean() / seen.unguided(name).mean()
    if kind is FiberLossRelative:
        return rows.mean() / seen.null.mean()
    return (48 * rows**2).mean() if kind is FiberLossSquared else rows.mean()


def numbers_of(statistic):
    numbers = (statistic.value, statistic.stderr, statistic.ci_low, statistic.ci_high)
    return [number for number in numbers if number is not None]


def headline(found):
    (one,) = [s for s in found if s.name == "mean" and s.query is s.seen_by is None]
    return one


@every_metric
@pytest.mark.parametrize("lost", [(), ONE, [0, 1, 2, 5, 23], range(8, 12)])
def test_the_headline_is_that_of_the_draws_that_are_left(kind, scene, lost):
    metric = made(kind)
    expected = by_hand(kind, scene, seen_in(metric, scene), kept_of(lost))

    assert headline(measure(metric, scene, lost)).value == pytest.approx(expected, rel=1e-12)


@every_metric
def test_what_a_lost_draw_holds_does_not_matter(kind, scene):
    garbage = scene.draws.clone()
    garbage[ONE] = 0.0
    told = {"saturation": scene.diagnostics["saturation"].index_fill(0, torch.tensor(ONE), 9.0)}
    changed = replace(scene, draws=garbage, diagnostics=told)

    found, again = (measure(made(kind), audit, ONE) for audit in (scene, changed))
    assert found == again
    assert found != measure(made(kind), scene)


@every_metric
def test_each_query_without_a_draw_is_the_audit_with_one_draw_less(kind, scene):
    lost = [q * K + q % K for q in range(Q)]
    left = torch.from_numpy(kept_of(lost).flatten())
    metric = made(kind)
    smaller = replace(
        scene,
        draws=scene.draws[left],
        unguided=scene.unguided[left],
        diagnostics={"saturation": scene.diagnostics["saturation"][left]},
    )
    expected = seen_in(metric, smaller)
    free = {key: x for key, x in seen_in(metric, scene).observed.items() if key[0] == "unguided"}
    expected.observed = {**expected.observed, **free}

    found = measure(metric, scene, lost)
    for one, other in zip(found, metric.summarise(expected), strict=True):
        assert numbers_of(one) == pytest.approx(numbers_of(other), rel=1e-9, abs=1e-15)
        assert (one.name, one.query, one.n) == (other.name, other.query, other.n)


@every_metric
def test_a_query_that_lost_all_of_its_draws_drops_out(kind, scene):
    whole = {s.query: s for s in measure(made(kind), scene) if s.query}
    found = {s.query: s for s in measure(made(kind), scene, range(8, 12)) if s.query}

    assert found == {query: s for query, s in whole.items() if query != scene.ids[2]}


@every_metric
def test_n_counts_what_is_left(kind, scene):
    whole, found = (measure(made(kind), scene, lost) for lost in ((), ONE))
    fewer = {s.query: t.n - s.n for s, t in zip(found, whole, strict=True) if s.name == "mean"}
    row = {scene.ids[2]: 1} if any(s.query for s in whole) else {}

    pooled = 0 if kind is Diversity else 1
    assert {query: n for query, n in fewer.items() if n} == {
        **({None: pooled} if pooled else {}),
        **row,
    }


@every_metric
@pytest.mark.parametrize("lost", [range(1, Q * K), range(Q * K), range(7)])
def test_however_much_is_lost_no_number_is_infinite_and_a_missing_one_has_its_reason(
    kind, scene, lost
):
    for free in (range(4, 8), range(Q * K)):
        audit = replace(scene, unguided_finite=torch.from_numpy(kept_of(free).flatten()))
        for s in measure(made(kind), audit, lost):
            assert np.isfinite(numbers_of(s)).all()
            assert s.value is not None or s.message
            assert type(s.n) is int


@pytest.mark.parametrize("kind", [Saturation, HighFrequency, OffManifold])
def test_a_lost_draw_is_never_suspected_and_changes_no_other_suspicion(kind, scene):
    burnt = replace(scene, draws=scene.draws.clone())
    burnt.draws[[9, 14]] = (torch.rand(2, 3, 28, 28) > 0.5).float()
    whole, found = (kind().suspicious(seen_in(kind(), burnt, lost)) for lost in ((), ONE))

    assert np.argwhere(whole).tolist() == [[2, 1], [3, 2]]
    assert np.argwhere(found).tolist() == [[3, 2]]
