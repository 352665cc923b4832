"""What a run asks of the first block of every extractor, of queries and of draws: one sentence."""

# ruff: noqa: NPY002 the global random numbers are what is tested

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fiber_audit.check import check_extractor
from fiber_audit.check.first_block import (
    extractor_problems,
    queries_problems,
    sampler_problems,
)
from fiber_audit.contracts import Extractor
from fiber_audit.sampling import finish
from fiber_audit.testing import gaussian_problem

SHAPE = (3, 8, 8)
X = torch.rand((3, *SHAPE), generator=torch.Generator().manual_seed(1))


class Made(Extractor):
    """phi(x) = change(extractor, network(x)): a good extractor, but for the change."""

    feature_size = 5

    def __init__(self, change=lambda self, h: h, before=lambda self, x: x):
        self.change, self.before, self.calls = change, before, 0
        body = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten(), nn.Linear(144, 5)]
        self.network = nn.Sequential(*body).eval().requires_grad_(False)
        generator = torch.Generator().manual_seed(0)
        for parameter in self.network.parameters():
            parameter.data.normal_(0, 0.3, generator=generator)

    def features(self, x):
        self.calls += 1
        return self.change(self, self.network(self.before(self, x)))


def seeded(self, h):
    torch.manual_seed(0)
    return h + 0.1 * torch.randn(h.shape)


def halved(self, x):
    with torch.no_grad():
        return x.mul_(0.5)


def trained(self, x):
    self.network.train()
    return x


class WrongSize(Made):
    feature_size = 4


BAD = {
    "a wrong feature_size": (WrongSize(), "shape"),
    "features for half of the rows": (Made(lambda self, h: h[: len(h) // 2]), "shape"),
    "maps, not vectors": (Made(lambda self, h: h[:, :, None]), "shape"),
    "float64": (Made(lambda self, h: h.double()), "dtype"),
    "float16": (Made(lambda self, h: h.half()), "dtype"),
    "a coupled batch": (Made(lambda self, h: h - h.mean(0)), "per-sample"),
    "rows relative to the first": (Made(lambda self, h: h - h[:1]), "per-sample"),
    "rows that add up": (Made(lambda self, h: h.cumsum(0)), "per-sample"),
    "a coupled gradient": (Made(lambda self, h: h + (h.sum() - h.sum().detach())), "per-sample"),
    "batch norm in train mode": (Made(before=trained), "eval-mode"),
    "random features": (Made(lambda self, h: h + 0.1 * torch.randn(h.shape)), "deterministic"),
    "random numbers of numpy": (Made(lambda self, h: h + 0.1 * np.random.rand()), "global-rng"),
    "Python's random numbers": (Made(lambda self, h: h + 0.1 * random.random()), "global-rng"),
    "a global seed": (Made(seeded), "global-rng"),
    "a counter of calls": (Made(lambda self, h: h + 0.01 * self.calls), "deterministic"),
    "no gradient": (Made(lambda self, h: h.detach()), "differentiable"),
    "a gradient of zero": (Made(lambda self, h: 0 * h + h.detach()), "differentiable"),
    "an infinite gradient": (Made(lambda self, h: (0 * h).abs().sqrt()), "gradient-finite"),
    "an in-place change": (Made(before=halved), "input-kept"),
    "NaN": (Made(lambda self, h: h / 0), "finite"),
    "a crash": (Made(lambda self, h: h @ h), "call"),
    "the end of the process": (Made(lambda self, h: exit(0)), "call"),
    "a list": (Made(lambda self, h: [h]), "call"),
}  # fmt: skip


def names(found):
    return [violation.name for violation in found]


def test_a_good_extractor_passes_for_any_number_of_rows():
    for rows in (1, 2, 3):
        assert extractor_problems(Made(), X[:rows]) == []


def test_a_layer_norm_at_the_end_has_a_gradient_though_its_sum_has_none():
    """As those of CLIP and DINOv2 do."""
    extractor = Made()
    extractor.network.append(nn.LayerNorm(5)).eval().requires_grad_(False)

    assert extractor_problems(extractor, X) == []
    assert names(check_extractor(extractor, X)) == ["digest"]


@pytest.mark.parametrize("what", BAD)
def test_each_fault_is_one_sentence(what):
    extractor, name = BAD[what]

    found = extractor_problems(extractor, X)

    assert name in names(found), found
    for violation in found:
        assert "\n" not in violation.message
        assert violation.message.endswith(".")


@pytest.mark.parametrize(
    "what", ["float64", "a coupled batch", "no gradient", "a wrong feature_size"]
)
def test_one_fault_is_one_violation(what):  # fmt: skip
    extractor, name = BAD[what]

    assert names(extractor_problems(extractor, X)) == [name]


def test_a_network_in_training_mode_is_told_before_a_call_could_change_it():
    extractor = Made()
    extractor.network.train()
    before = {name: value.clone() for name, value in extractor.network.state_dict().items()}

    (violation,) = extractor_problems(extractor, X)
    found = check_extractor(extractor, X)

    assert violation.name == "eval-mode"
    assert "eval-mode" in names(found)
    assert extractor.calls == 0
    for name, value in extractor.network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_what_is_no_module_is_told():
    extractor = Made()
    extractor.network = torch.tanh

    assert names(extractor_problems(extractor, X)) == ["network"]


@pytest.mark.parametrize("what", BAD)
def test_neither_the_input_nor_the_mode_nor_the_global_random_numbers_are_changed(what):
    extractor, _ = BAD[what]
    before = torch.get_rng_state(), str(np.random.get_state()), random.getstate(), X.clone()

    extractor_problems(extractor, X)

    assert torch.equal(torch.get_rng_state(), before[0])
    assert str(np.random.get_state()) == before[1]
    assert random.getstate() == before[2]
    assert torch.equal(X, before[3])
    assert not extractor.network[1].training


def test_it_costs_five_forward_passes():
    extractor = Made()

    extractor_problems(extractor, X)

    assert extractor.calls == 5


IDS = ("a", "b", "c")


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (X, None),
        (X[:2], "load() returned (2, 3, 8, 8), not (3, 3, 8, 8); return one row per index, each "
         "shaped like data_shape."),
        (X.double(), "load() returned torch.float64; return float32, images of bytes divided by "
         "255."),
        (torch.full((3, *SHAPE), 255.0), "query 'a' (number 40) has values in [255, 255]; images "
         "are in [0, 1], so divide by 255."),
        (torch.cat([X[:2], 2 * X[2:] - 1]), "query 'c' (number 42) has values in [-"),
        (torch.cat([X[:1], X[1:] / 0]), "query 'b' (number 41) holds NaN or infinity; leave such "
         "items out, or fill them in."),
    ],
)  # fmt: skip
def test_queries_are_told_by_id_range_and_way_out(x, sentence):
    found = queries_problems(x, IDS, 40, SHAPE)

    assert found == sentence if sentence is None else found.startswith(sentence)


def test_tables_have_no_range():
    assert queries_problems(torch.tensor([[-100.0, 1e6]]), ["a"], 0, (2,)) is None


def test_draws_built_by_finish_are_right_and_a_lost_one_is_no_problem():
    problem = gaussian_problem(3)
    states = torch.zeros(3, 8)
    states[1] = float("nan")

    assert sampler_problems(finish(problem, states), 3, (8,)) is None


NAN = torch.full((3, 8), float("nan"))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda d: replace(d, data=d.data[1:]), "data has 2 rows for 3 draws"),
        (lambda d: replace(d, finite=d.finite[1:]), "finite has 2 rows"),
        (lambda d: replace(d, diagnostics={"x": torch.zeros(())}), "x has 0 rows"),
        (lambda d: replace(d, diagnostics={"x": 3.0}), "x is a float"),
        (lambda d: replace(d, data=d.data[:, :4]), "draws are (4,) each, but queries are (8,)"),
        (lambda d: replace(d, data=d.data.double()), "draws are torch.float64; return float32"),
        (lambda d: replace(d, finite=d.finite.float()), "finite is torch.float32, (3,)"),
        (lambda d: replace(d, data=NAN), "draws that finite calls finite hold NaN"),
        (lambda d: d.data, "sample() returned a Tensor; return Draws"),
    ],
)
def test_wrong_draws_are_one_sentence(change, part):
    draws = finish(gaussian_problem(3), torch.zeros(3, 8))

    assert part in sampler_problems(change(draws), 3, (8,))


def test_images_that_were_drawn_out_of_range_are_told():
    draws = finish(gaussian_problem(3), torch.zeros(3, 8))
    images = torch.full((3, 1, 2, 2), -0.5)

    assert "draws are in [-0.5, -0.5], but images are in [0, 1]" in sampler_problems(
        replace(draws, data=images), 3, (1, 2, 2)
    )
