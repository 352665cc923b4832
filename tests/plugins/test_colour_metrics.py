"""Laws of the ground-truth metrics of Color MNIST, on draws whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fiber_audit_color_mnist.colouring import background_of, colorize, sample_colours
from fiber_audit_color_mnist.dataset import ColorMNIST
from fiber_audit_color_mnist.metrics import (
    ColourDev,
    ColourKept,
    ColourKL,
    ColourW1,
    ShapeAgreement,
)
from fiber_audit_color_mnist.metrics.colour_law import counts_of, law
from fiber_audit_color_mnist.metrics.colour_w1 import wasserstein
from scipy import stats
from torch import nn

from fiber_audit.contracts import Extractor, Prior
from fiber_audit.measuring.scene import Scene
from fiber_audit.testing import measure

Q, K = 64, 4


class Pixels(Extractor, Prior):
    """Extractor and prior that do nothing: no metric here asks them."""

    def __init__(self):
        self.network = nn.Identity()

    def features(self, x):
        return x.flatten(1)

    def predict(self, x_t, t):
        raise NotImplementedError

    def decode(self, state):
        return state

    def encode(self, x):
        return x


def recoloured(data, q=Q, k=K, seed=0):
    """Draws of a perfect sampler for the shape code: every query's digit in fresh colours."""
    colours = sample_colours(q * k, torch.Generator().manual_seed(seed))
    return colorize(data.digits.images[:q].repeat_interleave(k, 0), colours)


def audit(draws, q=Q, k=K):
    data = ColorMNIST(n=q)
    queries = data.load(range(q))
    return Scene(
        ids=data.ids,
        queries=queries,
        labels=data.labels,
        extractor=Pixels(),
        prior=Pixels(),
        dataset=data,
        named={}.__getitem__,
        draws=draws(data, queries.repeat_interleave(k, 0)),
        unguided=data.reference(q * k, torch.Generator().manual_seed(99)),
    )


def perfect(seed=0):
    return audit(lambda data, queries: recoloured(data, seed=seed))


def pooled(metric, scene):
    return {s.name: s for s in measure(metric, scene) if s.query is None}


def value(metric, scene, statistic="mean"):
    return pooled(metric, scene)[statistic].value


@pytest.mark.parametrize("metric", [ColourKL(), ColourW1()])
def test_the_floor_is_what_true_samples_give(metric):
    found = [value(metric, perfect(seed)) for seed in range(12)]

    floor = value(metric, perfect(), "floor")
    assert floor == pytest.approx(np.mean(found), abs=4 * np.std(found) / 12**0.5)
    assert value(metric, perfect(), "excess") == pytest.approx(found[0] - floor)


@pytest.mark.parametrize("metric", [ColourKL(), ColourW1()])
def test_the_interval_contains_the_distance_that_it_belongs_to(metric):
    found = pooled(metric, perfect())

    for statistic in ("mean", "excess", "unguided"):
        assert found[statistic].ci_low < found[statistic].value < found[statistic].ci_high


def test_the_floor_of_w1_falls_like_one_over_the_root_of_n():
    few, many = (
        value(ColourW1(), audit(lambda data, x, k=k: recoloured(data, k=k), k=k), "floor")
        for k in (1, 16)
    )
    assert few / many == pytest.approx(4, rel=0.15)


def test_w1_of_a_shifted_law_is_the_shift():
    inside = np.where((np.arange(100) >= 5), law(), 0)  # so that nothing falls off the end
    inside /= inside.sum()
    assert wasserstein(np.roll(inside, -5)[None], inside) == pytest.approx(0.05)


def test_w1_agrees_with_scipy_up_to_the_width_of_a_bin():
    generator = torch.Generator().manual_seed(3)
    shifted = sample_colours(2000, generator) - 0.1
    true = sample_colours(20000, torch.Generator().manual_seed(4))

    expected = np.mean([stats.wasserstein_distance(shifted[:, c], true[:, c]) for c in range(3)])
    assert wasserstein(counts_of(shifted.clamp(0, 1)), law()) == pytest.approx(expected, abs=0.005)


def test_kl_of_a_point_mass_is_the_surprise_of_its_bin_and_large():
    gray = audit(lambda data, x: torch.full_like(x, 0.505))

    assert value(ColourKL(), gray) == pytest.approx(-np.log(law()[50]))
    assert value(ColourKL(), audit(lambda data, x: torch.full_like(x, 0.255))) > 10
    assert value(ColourKL(), gray, "excess") > 5 * value(ColourKL(), gray, "floor")


def test_the_law_is_the_histogram_of_many_samples():
    counts = counts_of(sample_colours(100_000, torch.Generator().manual_seed(1))).sum(0)

    common = law() * counts.sum() > 20
    expected = law()[common] / law()[common].sum() * counts[common].sum()
    assert stats.chisquare(counts[common], expected).pvalue > 0.001


def test_exact_colouring_has_no_deviation_and_a_gray_foreground_has():
    exact = audit(lambda data, x: recoloured(data))
    full = exact.dataset.digits.images[:Q].flatten(1).amax(1) == 1

    rows = [s.value for s in measure(ColourDev(), exact) if s.query is not None]
    assert full.float().mean() > 0.8
    assert max(np.array(rows)[full.numpy()]) < 1e-5

    def gray_ink(data, x):
        return colorize(data.digits.images[:Q].repeat_interleave(K, 0), background_of(x), gray)

    gray = torch.full((Q * K, 3), 0.5)
    assert value(ColourDev(), audit(gray_ink)) > 0.2


def test_a_kept_colour_is_0_and_a_free_one_is_1():
    assert value(ColourKept(), audit(lambda data, x: x)) == 0
    free = pooled(ColourKept(), perfect())
    assert free["mean"].value == pytest.approx(1, abs=0.1)
    assert free["unguided"].value == pytest.approx(1, abs=0.1)


def test_colours_half_way_to_free_ones_are_half_kept():
    def half(data, x):
        fresh = background_of(recoloured(data))
        c = torch.lerp(background_of(x), fresh, 0.5)
        return colorize(data.digits.images[:Q].repeat_interleave(K, 0), c)

    assert value(ColourKept(), audit(half)) == pytest.approx(0.5, abs=0.06)


def test_recoloured_queries_show_the_digit_as_clearly_as_queries():
    found = pooled(ShapeAgreement(), perfect())

    assert found["query"].value > 0.95
    assert found["mean"].value == pytest.approx(found["query"].value, abs=0.02)
    assert found["unguided"].value < 0.25


def test_one_query_gives_a_reason_in_place_of_colour_kept():
    (found,) = measure(ColourKept(), audit(lambda data, x: x, q=1))

    assert found.value is None
    assert "two or more" in found.message
