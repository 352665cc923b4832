"""A sampler that was trained for so many seconds, and a metric of consistency: --plugin."""

from __future__ import annotations

from torch import nn

from fiber_audit import WeightsError, hookimpl
from fiber_audit.contracts import Learned, Metric, Sampler, Statistic
from fiber_audit.sampling import finish, unguided


class Trained(Sampler):
    """The prior's draw, on the fiber x[:2] = h; more steps than the prior's schedule has."""

    def __init__(self, *, seconds: float = 100.0, fitted: bool = True):
        self.seconds, self.fitted, self.steps = seconds, fitted, 5000

    def prepare(self, extractor, prior):
        if not self.fitted:
            raise WeightsError("fits/mine: nothing is fitted there; run: fiber-audit fit SUITE.")
        return Learned("weights", self.seconds, nn.Identity())

    def sample(self, problem, noise):
        x = unguided(problem.prior, noise, 10).clone()
        x[:, :2] = problem.targets
        return finish(problem, x)


class Spread(Metric):
    axis, better = "consistency", "lower"

    def observe(self, block):
        return {"spread": block.data.std(1)}

    def summarise(self, seen):
        return [Statistic(float(seen.draws("spread").mean()))]


@hookimpl
def fiber_audit_samplers():
    return {"trained": Trained}


@hookimpl
def fiber_audit_metrics():
    return {"spread": Spread}
