"""Laws of the invariance index, and of the probes that read attributes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from fiber_audit_attributes.brightness import Contrast, MeanColour
from fiber_audit_attributes.column import Column
from fiber_audit_attributes.fineness import HighFrequencyEnergy
from fiber_audit_attributes.function import FunctionAttribute
from fiber_audit_attributes.invariance import Invariance
from fiber_audit_attributes.linear_probe import LinearProbe
from fiber_audit_attributes.place import MirrorSide, Position
from fiber_audit_attributes.variation import of_pairs, ranked
from fiber_audit_attributes.words import sentence_of, table_of
from fiber_audit_color_mnist.attributes import (
    Digit,
    DigitColour,
    DigitPosition,
    DigitSlant,
    DigitThickness,
)
from fiber_audit_color_mnist.colouring import colorize
from fiber_audit_color_mnist.dataset import ColorMNIST

from fiber_audit import DataError, UsageError
from fiber_audit.contracts import Attribute
from fiber_audit.measuring.scene import Scene
from fiber_audit.testing import GaussianPrior, LinearExtractor, check_attribute, measure


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Third(Attribute):
    """Class 0, 1 or 2 of the first column, by its thirds under the standard normal."""

    kind = "class"

    def read(self, x):
        edge = 0.4307273
        return (x[:, 0] > -edge).long() + (x[:, 0] > edge).long()


class Weak(Column):
    accuracy, chance = 0.7, 0.5


def scene_of(draws, unguided, queries):
    """Tables whose fibers are given; rows of draws are query-major."""
    d = queries.shape[1]
    return Scene(
        ids=tuple(f"q{i}" for i in range(len(queries))),
        queries=queries,
        labels=None,
        extractor=LinearExtractor(torch.eye(d)),
        prior=GaussianPrior(torch.zeros(d), torch.eye(d)),
        dataset=None,
        named=lambda name: None,
        draws=draws,
        unguided=unguided,
    )


def share(r, q=400, k=4, seed=0):
    """A standard normal column of which the features know the share r of the variance."""
    known = noise(q, 1, seed=seed)
    rest = noise(q * k, 1, seed=seed + 1)
    draws = r**0.5 * known.repeat_interleave(k, 0) + (1 - r) ** 0.5 * rest
    queries = r**0.5 * known + (1 - r) ** 0.5 * noise(q, 1, seed=seed + 2)
    return scene_of(draws, noise(q * k, 1, seed=seed + 3), queries)


def found(attribute, scene, lost=()):
    """Name of a pooled statistic -> it."""
    statistics = measure(Invariance({"a": attribute}), scene, lost)
    return {s.name: s for s in statistics if s.query is None}


@pytest.mark.parametrize("r", [0.0, 0.3, 0.6, 0.9, 0.99])
def test_of_a_gaussian_the_index_is_the_closed_form_of_ranks(r):
    index = found(Column(0), share(r))["a"]

    truth = 1 - 6 / math.pi * math.asin(r / 2)
    assert abs(index.value - truth) < 4 * index.stderr + 0.01
    assert index.ci_low < truth < index.ci_high or abs(index.value - truth) < 3 * index.stderr


def test_a_pinned_attribute_is_at_0_and_a_free_one_at_1():
    pinned, free = share(1.0), share(0.0)

    assert found(Column(0), pinned)["a"].value == 0
    assert found(Column(0), pinned)["a p"].value == 1 / 1000
    assert found(Column(0), free)["a"].value == pytest.approx(1, abs=0.08)
    assert found(Column(0), free)["a p"].value > 0.01


def test_the_index_is_the_same_on_every_scale_that_keeps_the_order():
    class Exponential(Column):
        def read(self, x):
            return (3 * super().read(x)).exp() + 7

    scene = share(0.5)

    assert found(Exponential(0), scene)["a"] == found(Column(0), scene)["a"]


def test_a_few_wild_draws_do_not_decide_the_index():
    scene = share(0.9)
    calm = found(Column(0), scene)["a"].value
    scene.draws[::97] = 1e6

    assert found(Column(0), scene)["a"].value < calm + 0.06


@pytest.mark.parametrize("r", [0.0, 0.8])
def test_of_classes_it_is_the_chance_that_two_draws_differ_over_that_of_two_unguided_ones(r):
    scene = share(r, q=600)
    pairs = Third().read(scene.draws).reshape(600, 4)
    differ = np.mean(
        [(pairs[:, i] != pairs[:, j]).double().mean() for i in range(4) for j in range(i)]
    )

    index = found(Third(), scene)["a"]

    assert index.value == pytest.approx(differ / (2 / 3), rel=0.05)
    assert r or index.value == pytest.approx(1, abs=0.05)


def test_a_class_that_never_changes_along_fibers_is_not_known_to_be_pinned_without_doubt():
    few, many = (found(Third(), share(1.0, q=q))["a"] for q in (8, 200))

    assert few.value == many.value == 0
    assert 0.3 < few.ci_high < 0.9
    assert 0 < many.ci_high < 0.04


def test_distances_to_the_query_agree_with_those_between_draws_where_draws_are_exact():
    statistics = found(Column(0), share(0.6, q=1500))

    assert statistics["a from query"].value == pytest.approx(statistics["a"].value, abs=0.04)


def test_draws_pinned_at_another_value_than_the_query_s_are_told_by_the_distance_to_it():
    scene = share(1.0)
    scene.draws.neg_()

    statistics = found(Column(0), scene)
    assert statistics["a"].value == 0
    assert statistics["a from query"].value > 1


def test_p_is_uniform_where_the_attribute_is_ignored():
    values = [found(Column(0), share(0.0, q=12, seed=10 * i))["a p"].value for i in range(60)]

    assert 0.35 < np.mean(values) < 0.65
    assert np.mean(np.array(values) < 0.1) < 0.25


def test_a_weak_probe_is_inconclusive_and_leaves_the_mean():
    statistics = found(Weak(0), share(0.5))

    assert statistics["a"].value is None
    assert "skill of 0.40" in statistics["a"].message
    assert statistics["mean"].value is None


def test_what_the_prior_does_not_vary_is_inconclusive():
    scene = share(0.5)
    scene.unguided.mul_(1e-3)

    assert "do not vary" in found(Column(0), scene)["a"].message


def test_a_lost_draw_costs_its_pairs_only():
    scene = share(0.6)
    whole = found(Column(0), scene)["a"].value

    assert found(Column(0), scene, lost=(0, 5, 6))["a"].value == pytest.approx(whole, abs=0.02)


def test_one_draw_per_query_says_why_there_is_no_index():
    scene = scene_of(noise(8, 1), noise(8, 1, seed=1), noise(8, 1, seed=2))

    (told,) = measure(Invariance({"a": Column(0)}), scene)
    assert told.value is None
    assert "raise draws" in told.message


def test_ranks_of_half_the_pairs_agree_with_the_sum_over_all():
    values = np.random.default_rng(0).normal(size=(7, 5, 2))

    pairs = [((values[:, i] - values[:, j]) ** 2).sum(1) / 2 for i in range(5) for j in range(i)]
    assert of_pairs(values, "number") == pytest.approx(np.mean(pairs, axis=0))


def test_ranks_among_themselves_are_uniform():
    values = np.random.default_rng(0).normal(size=(1000, 1))

    assert np.sort(ranked(values, values)[:, 0]) == pytest.approx((np.arange(1000) + 0.5) / 1000)


# in words


def records_of(**rows):
    return pd.DataFrame(
        [
            {"audit": "e/p/s", "extractor": "e", "metric": metric, "statistic": name, "value": v,
             "ci_low": low, "ci_high": high, "query": None}
            for (metric, name), (v, low, high) in rows["rows"].items()
        ]
    )  # fmt: skip


def test_the_sentence_names_what_is_ignored_and_pinned_and_doubts_draws_off_the_fiber():
    rows = {
        ("invariance", "colour"): (0.97, 0.94, 0.99),
        ("invariance", "digit"): (0.02, 0.01, 0.04),
        ("invariance", "slant"): (None, None, None),
    }
    table = table_of(records_of(rows=rows), ("colour", "digit", "slant"))
    assert table.sentences["e/p/s"] == (
        "e ignores colour (97 % [94, 99]) and pins digit (2 % [1, 4])."
    )
    assert table.rows[0][1][2] == "inconclusive"

    rows["fiber_loss_relative", "mean"] = (0.4, 0.3, 0.5)
    table = table_of(records_of(rows=rows), ("colour", "digit", "slant"))
    assert "miss the fiber by 40 %" in table.sentences["e/p/s"]


def test_draws_that_agree_with_each_other_but_not_with_their_query_pin_nothing():
    """The number behind the cell has the interval that the sentence has: it reaches to both."""
    rows = {
        ("invariance", "contrast"): (0.03, 0.02, 0.05),
        ("invariance", "contrast from query"): (1.1, 0.9, 1.3),
    }
    table = table_of(records_of(rows=rows), ("contrast",))

    assert table.sentences["e/p/s"] == "e is undecided on contrast (3 % [2, 130])."
    assert table.numbers == (((0.03, 0.02, 1.3),),)


def test_an_interval_that_reaches_from_pinned_to_ignored_is_undecided():
    row = {"value": 0.9, "ci_low": 0.2, "ci_high": 1.4}

    assert sentence_of("e", {"side": row}) == "e is undecided on side (90 % [20, 140])."


# attributes of images


def images(n=6, c=3, size=32, seed=0):
    return torch.rand(n, c, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "attribute", [MeanColour(), Contrast(), HighFrequencyEnergy(), Position(), MirrorSide()]
)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 31, 48)])
def test_attributes_of_images_keep_their_contract(attribute, shape):
    data = torch.rand(5, *shape, generator=torch.Generator().manual_seed(0))

    assert check_attribute(attribute, data) == []


def test_position_moves_with_the_picture_and_the_side_with_the_mirror():
    x = torch.zeros(1, 1, 20, 20)
    x[..., 4:7, 5:9] = 1
    moved = x.roll((3, 6), dims=(2, 3))

    step = Position().read(moved) - Position().read(x)
    assert step[0].tolist() == pytest.approx([3 / 20, 6 / 20])
    assert MirrorSide().read(torch.cat([x, x.flip(3)])).tolist() == [0, 1]


@pytest.mark.parametrize("size", [15, 16])
def test_the_shares_of_energy_above_and_below_are_those_of_a_full_transform(size):
    x = images(size=size)
    gray = x.double().mean(1)
    energy = torch.fft.fft2(gray - gray.mean((1, 2), keepdim=True)).abs() ** 2
    f = torch.fft.fftfreq(size, dtype=torch.float64)
    fine = (f[:, None] ** 2 + f[None] ** 2).sqrt() > 0.25

    expected = ((energy * fine).sum((1, 2)) / energy.sum((1, 2))).log10()
    assert torch.allclose(HighFrequencyEnergy().read(x), expected, atol=1e-6)


def test_a_column_of_an_image_and_a_picture_of_a_table_are_refused_in_one_sentence():
    with pytest.raises(DataError, match="index = 3, but inputs are"):
        Column(3).read(torch.zeros(2, 3))
    with pytest.raises(DataError, match="use 'column' for tables"):
        Contrast().read(torch.zeros(2, 3))


# probes


def probe_file(tmp_path, values, inputs):
    path = tmp_path / "probe.npz"
    np.savez(path, inputs=inputs, values=values)
    return str(path)


def test_a_linear_probe_is_that_of_scikit_learn(tmp_path):
    from sklearn.linear_model import RidgeCV

    x = noise(300, 6).numpy()
    y = (x @ np.arange(6) + noise(300, seed=1).numpy()).astype(np.float64)
    probe = LinearProbe(probe_file(tmp_path, y, x))

    order = np.random.default_rng(0).permutation(300)[:200]
    mean, scale = x[order].mean(0), x[order].std(0)
    peer = RidgeCV(np.logspace(-2, 6, 33)).fit((x[order] - mean) / scale, y[order])
    expected = peer.predict((x - mean) / scale)
    assert probe.read(torch.from_numpy(x)).numpy() == pytest.approx(expected, abs=0.05)
    assert probe.accuracy > 0.97
    assert probe.kind == "number"


def test_a_linear_probe_of_what_is_not_there_has_no_skill(tmp_path):
    labels = np.random.default_rng(0).integers(0, 2, 400)
    probe = LinearProbe(probe_file(tmp_path, labels, noise(400, 5).numpy()))

    assert probe.skill < 0.2
    assert check_attribute(probe, noise(6, 5)) == []


def test_a_linear_probe_of_classes_knows_them(tmp_path):
    x = noise(300, 2)
    labels = (x[:, 0] > 0).long().numpy() * 3
    probe = LinearProbe(probe_file(tmp_path, labels, x.numpy()))

    assert probe.skill > 0.9
    assert set(probe.read(x).tolist()) == {0, 3}


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"inputs": np.zeros((8, 2))}, "cannot be read"),
        ({"inputs": np.zeros((8, 2)), "values": np.zeros(7)}, "one value per input"),
        ({"inputs": np.zeros((4, 2)), "values": np.zeros(4)}, "six inputs"),
    ],
)
def test_a_file_that_is_no_probe_s_data_is_told(tmp_path, arrays, told):
    np.savez(tmp_path / "p.npz", **arrays)

    with pytest.raises(DataError, match=told):
        LinearProbe(str(tmp_path / "p.npz"))


def test_a_function_of_logits_is_a_class_and_a_missing_one_is_told():
    attribute = FunctionAttribute("torch:flatten", "class", accuracy=0.9, chance=0.1)
    with pytest.raises(UsageError, match="one row per input"):
        attribute.read(torch.zeros(2, 3))
    logits = FunctionAttribute("torch:neg", "class", accuracy=0.9, chance=0.1)
    assert logits.read(torch.eye(3)).tolist() == [1, 0, 0]
    for target in ("torch", "torch:nothing", "no_such_package:f", ":"):
        with pytest.raises(UsageError, match="target = "):
            FunctionAttribute(target)


# attributes of coloured digits


def strokes(width, lean=0.0, size=28):
    """A bar from top to bottom that leans."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    middle = size / 2 - lean * (rows - size / 2)
    m = ((columns + 0.5 - middle).abs() < width / 2).double()
    m[:4] = m[-4:] = 0
    return colorize(m[None, None].float(), torch.tensor([[0.7, 0.5, 0.3]]))


def test_a_bar_s_slant_is_its_shear_and_its_width_the_thickness():
    for lean in (-0.4, 0.0, 0.3):
        assert DigitSlant().read(strokes(4, lean)).item() == pytest.approx(lean, abs=0.05)
    thin, thick = (DigitThickness().read(strokes(w)).item() for w in (2.0, 4.0))
    assert thick / thin == pytest.approx(2, rel=0.25)


def test_the_colour_of_a_digit_moves_none_of_its_shape_attributes():
    data = ColorMNIST(n=32)
    x = data.load(range(32))
    other = colorize(data.digits.images[:32], torch.full((32, 3), 0.3))

    for attribute in (DigitSlant(), DigitThickness(), DigitPosition()):
        assert torch.allclose(attribute.read(x), attribute.read(other), atol=0.02)
    assert not torch.allclose(DigitColour().read(x), DigitColour().read(other), atol=0.02)
    assert (Digit().read(x) == data.labels).double().mean() > 0.9


def test_draws_that_vary_freely_but_towards_their_query_are_not_said_to_ignore():
    rows = {
        ("invariance", "colour"): (0.9, 0.8, 1.0),
        ("invariance", "colour from query"): (0.4, 0.3, 0.5),
    }
    (told,) = table_of(records_of(rows=rows), ("colour",)).sentences.values()

    assert told == "e keeps part of colour (40 % [30, 50])."
