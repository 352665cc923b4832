"""Checks of extractors: what keeps the contract passes, each way to break it has its name."""

# ruff: noqa: NPY002 the global random numbers are what is tested

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
import torch
from torch import nn

from fiber_audit.check import check_component, check_extractor
from fiber_audit.check.extractor import DYNAMIC, STATIC
from fiber_audit.contracts import Extractor
from fiber_audit.testing import LinearExtractor


class Small(nn.Module):
    """Two layers: 3 x 8 x 8 images -> 5 features."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(144, 5))
        generator = torch.Generator().manual_seed(0)
        for parameter in self.parameters():
            parameter.data.normal_(0, 0.2, generator=generator)

    def forward(self, x):
        return self.body(x)


class Good(Extractor):
    """Keeps every promise; the bad ones below break one each."""

    feature_size = 5
    input_shape = (3, 8, 8)

    def __init__(self):
        self.network = Small().eval().requires_grad_(False)
        self.weights_sha256 = hashlib.sha256(b"small").hexdigest()

    def features(self, x):
        return self.network(2 * x - 1)


class Crashes(Good):
    def features(self, x):
        raise TypeError("expected uint8")


class WrongShape(Good):
    feature_size = 4


class Half(Good):
    def features(self, x):
        return super().features(x).double()


class Divides(Good):
    def features(self, x):
        return super().features(x / x.mean(dim=(1, 2, 3), keepdim=True))


class Noisy(Good):
    def features(self, x):
        return super().features(x + 0.01 * torch.randn_like(x))


class Silent(Good):
    def features(self, x):
        torch.rand(())
        return super().features(x)


class Seeds(Good):
    def features(self, x):
        torch.manual_seed(0)
        return super().features(x)


class Rolls(Good):
    def features(self, x):
        return super().features(x) + random.random() + np.random.rand()


class Undefined(Good):
    def features(self, x):
        return super().features(x) * float("nan")


class Switches(Good):
    def features(self, x):
        return self.network.train()(2 * x - 1)


class Previous(Good):
    """Row 0 is itself, alone and in a batch; every other row knows the one before it."""

    def features(self, x):
        return super().features(x).cumsum(0)


class Tuple(Good):
    def features(self, x):
        return (super().features(x),)


class InPlace(Good):
    def features(self, x):
        with torch.no_grad():
            x.mul_(0.5)
        return super().features(x)


class Twice(Good):
    def features(self, x):
        return (super().features(x) + super().features(x)) / 2


class ByForward(Good):
    def features(self, x):
        return self.network.forward(x)


class BatchNormed(Good):
    def features(self, x):
        h = super().features(x)
        return h - h.mean(0)


class Coupled(Good):
    def features(self, x):
        h = super().features(x)
        return h + (x.sum() - x.sum().detach())


class Detached(Good):
    def features(self, x):
        return super().features(x.detach())


class Rounds(Good):
    def features(self, x):
        return super().features((255 * x).round() / 255)


class Norms(Good):
    def features(self, x):
        return super().features(x) * (x.square().sum(dim=(1, 2, 3)).sqrt()[:, None] + 1)


class Training(Good):
    def __init__(self):
        super().__init__()
        self.network.train()


class Learning(Good):
    def __init__(self):
        super().__init__()
        self.network.requires_grad_(True)


class Undigested(Good):
    def __init__(self):
        super().__init__()
        self.weights_sha256 = ""


class Misdigested(Good):
    def __init__(self):
        super().__init__()
        self.weights_sha256 = "v1.2"


class Drifting(Good):
    def features(self, x):
        found = super().features(x)
        self.network.body[3].bias.data += 1e-6
        return found


class OtherEachTime(Good):
    made = 0

    def __init__(self):
        super().__init__()
        type(self).made += 1
        self.weights_sha256 = hashlib.sha256(str(self.made).encode()).hexdigest()


class Hoards(Good):
    def features(self, x):
        self.last = super().features(x)
        return self.last


class HoardsGraph(Good):
    def features(self, x):
        found = super().features(x)
        self.loss = found.sum()
        return found


class OffDevice(Good):
    """The mean is no buffer of the network, so that it does not move with it."""

    def __init__(self):
        super().__init__()
        self.mean = torch.full((3, 1, 1), 0.5)

    def features(self, x):
        return super().features(x - self.mean)


class ToCpu(Good):
    def features(self, x):
        return super().features(x).to("cpu")


class Unprepared(Good):
    """Not as its library does it."""

    def features_of_picture(self, picture):
        return torch.ones(1, 5)


class NotAModule(Good):
    def __init__(self):
        self.network = torch.tanh


BAD = {
    Crashes: "call",
    WrongShape: "shape",
    Half: "dtype",
    Divides: "range",
    Noisy: "deterministic",
    Silent: "global-rng",
    Seeds: "global-rng",
    Rolls: "global-rng",
    Undefined: "finite",
    Switches: "eval-mode",
    Previous: "per-sample",
    Tuple: "call",
    InPlace: "input-kept",
    Twice: "counted",
    ByForward: "counted",
    BatchNormed: "per-sample",
    Coupled: "per-sample",
    Detached: "differentiable",
    Rounds: "differentiable",
    Norms: "gradient-finite",
    Training: "eval-mode",
    Learning: "frozen",
    Undigested: "digest",
    Misdigested: "digest",
    Drifting: "digest-stable",
    OtherEachTime: "digest-stable",
    Hoards: "memory",
    HoardsGraph: "memory",
    OffDevice: "device",
    ToCpu: "device",
    NotAModule: "network",
    Unprepared: "preprocessing",
}


def names(found):
    return {violation.name for violation in found}


def test_a_good_extractor_has_no_violation():
    assert check_extractor(Good(), again=Good) == []


def test_a_linear_extractor_of_tables_has_no_violation():
    assert check_extractor(LinearExtractor(torch.eye(3))) == []


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_each_way_to_break_the_contract_is_found_by_name(bad):
    found = check_extractor(bad(), again=bad)

    assert BAD[bad] in names(found), found


def test_every_check_of_an_extractor_is_tripped_by_some_bad_one():
    assert {*STATIC, *DYNAMIC} <= {*BAD.values()}


@pytest.mark.parametrize("bad", [WrongShape, Half, Twice, Training, Learning, OffDevice, Hoards])
def test_a_violation_is_one_sentence_with_the_way_out_and_finds_nothing_else(bad):
    (violation,) = check_extractor(bad())

    assert "\n" not in violation.message
    assert violation.message.endswith(".")
    assert "; " in violation.message
    assert str(violation).startswith(BAD[bad])


class Normed(Good):
    """Features whose sum is a constant, and so has no gradient."""

    def features(self, x):
        return nn.functional.layer_norm(super().features(x), (5,))


class Centred(Good):
    def features(self, x):
        h = super().features(x)
        return h - h.mean(dim=1, keepdim=True)


@pytest.mark.parametrize("good", [Normed, Centred])
def test_features_of_constant_sum_are_not_called_without_gradient(good):
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(good().features(x).sum(), x)

    assert gradient.abs().max() < 1e-6
    assert check_extractor(good(), again=good) == []


def test_one_input_is_example_enough():
    assert check_extractor(Good(), torch.rand(1, 3, 8, 8)) == []


def test_a_component_is_made_with_its_defaults_and_checked():
    assert check_component("extractor", Good) == []
    assert "digest-stable" in names(check_component("extractor", OtherEachTime))
