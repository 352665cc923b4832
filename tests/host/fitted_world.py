"""A prior that is fitted, of two modules, and a data set that is drawn from a prior: --plugin."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import torch
from torch import nn

from fiber_audit import WeightsError, hookimpl
from fiber_audit.contracts import Count, Dataset, Extractor, Fitting, Learned, Prior, Sampler
from fiber_audit.sampling import FlowSchedule, Noise, finish, unguided
from fiber_audit.testing import GaussianPrior


class Points(Dataset):
    """Points around (3, 3, 3, 3); as many as there are without n."""

    data_shape = (4,)
    facts = MappingProxyType({"left out": "one point"})

    def __init__(self, *, n: Count | None = None, shift: float = 3.0):
        count = n or 50
        self.ids = tuple(f"point-{i}" for i in range(count))
        self.data = shift + torch.randn(50, 4, generator=torch.Generator().manual_seed(5))[:count]

    def load(self, indices):
        return self.data[list(indices)]


class Mean(GaussianPrior):
    """A Gaussian around a fitted mean, behind a decoder of its own."""

    def __init__(self, *, path: str, gain: float = 1.0):
        file = Path(path) / "mean.pt"
        if not file.is_file():
            raise WeightsError(f"{path}: nothing is fitted there; run fiber-audit fit SUITE.")
        super().__init__(torch.load(file, weights_only=True), torch.eye(4))
        self.schedule = FlowSchedule()
        self.decoder = nn.Linear(4, 4)
        nn.init.eye_(self.decoder.weight)
        nn.init.zeros_(self.decoder.bias)
        self.facts = {"gain": f"{gain:g}"}

    @classmethod
    def fit(cls, task: Fitting, *, path: str, gain: float):
        if gain < 0:
            raise ZeroDivisionError("no luck")
        task.say(f"{len(task.data)} points, gain {gain:g}, seed {task.seed}")
        Path(path).mkdir(exist_ok=True)
        mean = task.data.load(range(len(task.data))).mean(0)
        torch.save(gain * mean, Path(path) / "mean.pt")

    def decode(self, state):
        return self.decoder(state)


class Drawn(Dataset):
    """Queries drawn from a prior of the suite."""

    data_shape = (4,)

    def __init__(self, *, prior: Prior, n: Count = 3):
        self.prior = prior
        self.ids = tuple(f"draw-{i}" for i in range(n))

    def load(self, indices):
        states = unguided(self.prior, Noise([int(i) for i in indices]), 5)
        return self.prior.decode(states).detach().cpu()


class First(Extractor):
    feature_size, weights_sha256 = 2, ""

    def __init__(self):
        self.network = nn.Flatten()

    def features(self, x):
        return self.network(x)[:, :2]


class Shift(Sampler):
    """The prior's own draws, moved by what was fitted to a pair."""

    def __init__(self, *, path: str, gain: float = 1.0):
        self.path, self.gain = Path(path), gain

    @classmethod
    def fit(cls, task: Fitting, *, path: str, gain: float):
        features = task.extractor.features(task.data.load(range(len(task.data))))
        task.say(f"{tuple(features.shape)} features, states {task.prior.state_shape}")
        Path(path).mkdir(exist_ok=True)
        torch.save(gain * features.mean(), Path(path) / f"{features.shape[1]}.pt")

    def prepare(self, extractor, prior):
        file = self.path / f"{extractor.feature_size}.pt"
        if not file.is_file():
            raise WeightsError(f"{self.path}: nothing is fitted there; run fiber-audit fit SUITE.")
        shift = torch.load(file, weights_only=True)
        return Learned(f"{shift:.3f}", 2.5, None)

    def sample(self, problem, noise):
        shift = float(self.prepare(problem.extractor, problem.prior).digest)
        return finish(problem, unguided(problem.prior, noise, 5) + shift)


class Relay(Sampler):
    """What another sampler of the suite draws."""

    def __init__(self, *, of: Sampler):
        self.of = of

    def prepare(self, extractor, prior):
        return self.of.prepare(extractor, prior)

    def sample(self, problem, noise):
        return self.of.sample(problem, noise)


@hookimpl
def fiber_audit_samplers():
    return {"shift": Shift, "relay": Relay}


@hookimpl
def fiber_audit_datasets():
    return {"points": Points, "drawn": Drawn}


@hookimpl
def fiber_audit_priors():
    return {"mean": Mean}


@hookimpl
def fiber_audit_extractors():
    return {"first": First}
