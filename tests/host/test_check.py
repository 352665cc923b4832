"""The contract checks: what keeps the contract passes, and each way to break it has its name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from fiber_audit_dashboards import fiber_audit_exporters
from torch import nn

from fiber_audit.check import (
    check_component,
    check_dataset,
    check_exporter,
    check_extractor,
    check_metric,
    check_prior,
    check_sampler,
    round_trip,
)
from fiber_audit.contracts import (
    Dataset,
    Exporter,
    Extractor,
    Measurement,
    Metric,
    Prediction,
    Queries,
    Sampler,
)
from fiber_audit.errors import UnknownName
from fiber_audit.plugins import Catalogue
from fiber_audit.sampling import at, clipped, finish, start, unguided
from fiber_audit.schedule import FlowSchedule, step
from fiber_audit.testing import GaussianPrior, LinearExtractor, gaussian_problem


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
    """Its values are per-sample; its gradient is not."""

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


class NotAModule(Good):
    def __init__(self):
        self.network = torch.tanh


BAD = {
    Crashes: "call",
    WrongShape: "shape",
    Half: "dtype",
    Divides: "range",
    Noisy: "deterministic",
    Silent: "deterministic",
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
    from fiber_audit.check.extractor import DYNAMIC, STATIC

    assert {*STATIC, *DYNAMIC} <= {*BAD.values()}


@pytest.mark.parametrize("bad", [WrongShape, Half, Twice, Training, Learning, OffDevice, Hoards])
def test_a_violation_is_one_sentence_with_the_way_out_and_finds_nothing_else(bad):
    (violation,) = check_extractor(bad())

    assert "\n" not in violation.message
    assert violation.message.endswith(".")
    assert "; " in violation.message
    assert str(violation).startswith(BAD[bad])


def test_the_gaussian_prior_keeps_the_contract():
    for schedule in ("vp", "flow"):
        assert check_prior(gaussian_problem(1, schedule=schedule).prior) == []


def bad_prior(change=None, **attributes):
    """A Gaussian prior with attributes replaced, and its predictions changed."""
    prior = gaussian_problem(1).prior
    predict = prior.predict
    if change:
        prior.predict = lambda x, t: change(predict(x, t))
    vars(prior).update(attributes)
    return prior


class Backwards(FlowSchedule):
    def alpha(self, t):
        return t

    def sigma(self, t):
        return 1 - t


@pytest.mark.parametrize(
    ("prior", "name"),
    [
        (bad_prior(schedule=Backwards()), "schedule"),
        (bad_prior(change=lambda p: Prediction(p.x0.clamp(-1, 1), p.eps)), "consistent"),
        (bad_prior(change=lambda p: Prediction(p.x0[:, :3], p.eps)), "shape"),
        (bad_prior(change=lambda p: Prediction(p.x0.detach(), p.eps)), "differentiable"),
        (bad_prior(change=lambda p: Prediction(p.x0 - p.x0.mean(0), p.eps)), "per-sample"),
        (bad_prior(change=lambda p: Prediction(p.x0 * torch.rand(()), p.eps)), "deterministic"),
        (bad_prior(change=lambda p: Prediction(p.x0 / 0, p.eps)), "finite"),
        (bad_prior(predict=lambda x, t: Prediction(x, x)), "counted"),
        (bad_prior(decode=lambda state: state.detach()), "decode"),
        (bad_prior(encode=lambda x: 0.9 * x), "round-trip"),
        (bad_prior(clip=(1.0, -1.0)), "ranges"),
        (bad_prior(state_shape=(3,)), "call"),
        (bad_prior(network=nn.Linear(8, 8)), "frozen"),
        (bad_prior(network=nn.Dropout()), "eval-mode"),
        (bad_prior(network=nn.Linear(8, 8)), "digest"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_prior_is_found_by_name(prior, name):
    assert name in names(check_prior(prior))


def test_the_round_trip_of_a_lossless_prior_is_zero():
    prior = GaussianPrior(torch.zeros(2), torch.eye(2))

    assert round_trip(prior, torch.ones(3, 2)) == 0
    prior.encode = lambda x: x - 1
    assert round_trip(prior, torch.ones(3, 2)) == 1


class Steering(Sampler):
    """The prior's way, pushed towards the target by a gradient step on its estimate of x_0."""

    def draw(self, problem, noise, loss_of):
        prior = problem.prior
        times = prior.schedule.times(20)
        x = start(prior, noise, times[0])
        for t, s in pairwise(times):
            x0, eps = clipped(prior, x, t, prior.predict(x, at(t, x)))
            x0 = x0.detach().requires_grad_(True)
            (g,) = torch.autograd.grad(loss_of(problem, x0), x0)
            x = step(prior.schedule, x0.detach() - 0.5 * g, eps, t, s)
        return finish(problem, x)

    def sample(self, problem, noise):
        def loss(p, x0):
            return (p.features(x0) - p.targets).square().mean(1).sum()

        return self.draw(problem, noise, loss)


class MeanOverBatch(Steering):
    def sample(self, problem, noise):
        def loss(p, x0):
            return (p.features(x0) - p.targets).norm()

        return self.draw(problem, noise, loss)


class Uphill(Steering):
    def sample(self, problem, noise):
        def loss(p, x0):
            return -(p.features(x0) - p.targets).square().mean(1).sum()

        return self.draw(problem, noise, loss)


class GlobalNoise(Steering):
    def sample(self, problem, noise):
        return finish(problem, torch.randn(len(noise), *problem.prior.state_shape))


class Diverges(Steering):
    def sample(self, problem, noise):
        return finish(problem, unguided(problem.prior, noise, 5) / 0)


class Loses(Steering):
    def sample(self, problem, noise):
        return finish(problem, unguided(problem.prior, noise, 5)[1:])


class Remembers(Steering):
    calls = 0

    def sample(self, problem, noise):
        self.calls += 1
        return finish(problem, unguided(problem.prior, noise, 5) + 1e-3 * self.calls)


class NoFlow(Steering):
    def sample(self, problem, noise):
        if isinstance(problem.prior.schedule, FlowSchedule):
            raise NotImplementedError("diffusion only")
        return super().sample(problem, noise)


def test_a_good_sampler_has_no_violation():
    assert check_sampler(Steering()) == []


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (MeanOverBatch, "batch-independent"),
        (Uphill, "guided"),
        (GlobalNoise, "global-rng"),
        (GlobalNoise, "deterministic"),
        (Diverges, "finite"),
        (Loses, "shape"),
        (Remembers, "deterministic"),
        (NoFlow, "call"),
    ],
)
def test_a_bad_sampler_is_found_by_name(bad, name):
    assert name in names(check_sampler(bad()))


@dataclass
class Says(Metric):
    """A metric that returns what it is given."""

    found: list
    axis, better = "fidelity", "lower"

    def measure(self, context):
        return self.found() if callable(self.found) else self.found


def number(statistic="mean", value=1.0, **more):
    return Measurement("m", statistic, value, 6, "", "fidelity", "lower", **more)


def test_a_good_metric_has_no_violation():
    found = [
        number(ci_low=0.5, ci_high=1.5),
        number(query="row-0"),
        number("floor", None, message="n"),
    ]

    assert check_metric(Says(found)) == []


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ([number(query="row-0")], "headline"),
        ([number("a"), number("b")], "headline"),
        ([number(), number()], "unique"),
        ([number(value=float("nan"))], "finite"),
        ([number(value=None)], "empty"),
        ([number(ci_low=2.0, ci_high=1.0)], "interval"),
        ([number(ci_low=0.5)], "interval"),
        ([number(), number(query="nobody")], "queries"),
        (lambda: [number(value=float(torch.rand(())))], "deterministic"),
        (lambda: 1 / 0, "call"),
    ],
)
def test_a_bad_metric_is_found_by_name(found, name):
    assert name in names(check_metric(Says(found)))


@dataclass
class Table(Dataset):
    data: torch.Tensor
    ids: tuple = ("a", "b", "c")
    data_shape: tuple = (1, 2, 2)
    noise: float = 0.0

    def queries(self):
        return Queries(self.data + self.noise * torch.rand(()), self.ids)


IMAGES = torch.linspace(0, 1, 12).reshape(3, 1, 2, 2)


def test_a_good_dataset_has_no_violation():
    assert check_dataset(Table(IMAGES)) == []


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (Table(IMAGES, ids=("a", "a", "b")), "queries"),
        (Table(IMAGES, data_shape=(3, 2, 2)), "queries"),
        (Table(IMAGES.double()), "dtype"),
        (Table(255 * IMAGES), "range"),
        (Table(IMAGES, noise=1e-3), "stable"),
    ],
)
def test_a_bad_dataset_is_found_by_name(bad, name):
    assert name in names(check_dataset(bad))


@pytest.mark.parametrize("name", sorted(fiber_audit_exporters()))
def test_our_exporters_keep_the_contract(name):
    assert check_exporter(fiber_audit_exporters()[name]()) == []


@dataclass
class Writes(Exporter):
    text: str = "1"
    spoil: bool = False
    path: str = "a.json"

    def export(self, records, run, out):
        out.mkdir()
        (out / "a.json").write_text(self.text)
        if self.spoil:
            records["value"] = 0.0
        return [out / self.path]


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (Writes(text='{"value": NaN}'), "strict"),
        (Writes(text="[-Infinity]"), "strict"),
        (Writes(spoil=True), "records-kept"),
        (Writes(path="b.json"), "files"),
        (Writes(text=None), "call"),
    ],
)
def test_a_bad_exporter_is_found_by_name(bad, name):
    assert name in names(check_exporter(bad))


def test_a_component_is_made_with_its_defaults_and_checked():
    assert check_component("extractor", Good) == []
    assert "digest-stable" in names(check_component("extractor", OtherEachTime))


def test_an_exporter_that_logs_elsewhere_is_not_tried():
    class Elsewhere(Writes):
        elsewhere = True

    assert check_exporter(Elsewhere(text=None)) == []


def test_a_factory_that_raises_is_a_violation():
    (violation,) = check_component("extractor", lambda: 1 / 0)

    assert str(violation) == "make: the factory raised ZeroDivisionError: division by zero"


def test_a_kind_without_a_check_is_refused_by_name():
    with pytest.raises(UnknownName, match="kind 'executor': it has no contract check"):
        check_component("executor", Good)


def test_the_catalogues_extractors_and_priors_keep_their_contracts():
    catalogue = Catalogue.load()
    wrong = {
        component.qualified: found
        for component in catalogue
        if component.kind in ("extractor", "prior") and component.plugin == "color-mnist"
        if (found := check_component(component.kind, component.factory))
    }

    assert wrong == {}
