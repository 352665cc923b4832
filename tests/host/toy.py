"""A whole world in one file: a plugin whose audits take milliseconds. Loaded with --plugin."""

from __future__ import annotations

import numpy as np
import torch

from fiber_audit import DataError, WeightsError, hookimpl
from fiber_audit.contracts import (
    Count,
    Dataset,
    Draws,
    Metric,
    NonNegative,
    Problem,
    Sampler,
    Statistic,
)
from fiber_audit.measuring import per_query
from fiber_audit.sampling import Noise, finish, rms, unguided
from fiber_audit.testing import GaussianPrior, LinearExtractor


class Points(Dataset):
    data_shape = (4,)

    def __init__(self, *, n: Count = 5, scale: float = 1.0):
        if n > 50:
            raise DataError(f"queries.n = {n}: this data set has 50 points; ask for fewer.")
        self.data = scale * torch.randn(50, 4, generator=torch.Generator().manual_seed(5))[:n]
        self.ids = tuple(f"point-{i}" for i in range(n))

    def load(self, indices):
        return self.data[list(indices)]


class Projecting(Sampler):
    """The prior's draw, moved a share `strength` of the way onto the fiber x[:2] = h."""

    def __init__(self, *, strength: NonNegative = 1.0, diverge_at: int = -1, crash: bool = False):
        self.strength, self.diverge_at, self.crash = strength, diverge_at, crash

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        if self.crash:
            raise RuntimeError("the sampler fell over")
        x = unguided(problem.prior, noise, 10).clone()
        x[:, :2] += self.strength * (problem.targets - x[:, :2])
        if self.diverge_at >= 0:
            x[self.diverge_at] = float("nan")
        return finish(problem, x)  # strength 1 is on the fiber; more overshoots


class MeanLoss(Metric):
    axis, better, unit = "fidelity", "lower", "feature"

    def __init__(self, *, fail: bool = False):
        self.fail = fail

    def observe(self, block):
        return {"loss": rms(block.features().double() - block.targets.double())}

    def summarise(self, seen):
        if self.fail:
            raise ZeroDivisionError("no luck")
        loss = seen.draws("loss")
        means = np.nanmean(loss, axis=1)
        q, mean = len(means), float(means.mean())
        error = float(means.std(ddof=1) / q**0.5) if q > 1 else 0.0
        pooled = Statistic(
            mean, n=q, stderr=error, ci_low=mean - 2 * error, ci_high=mean + 2 * error
        )
        return [pooled, *per_query(seen.ids, loss)]


class FirstTwo(LinearExtractor):
    def __init__(self):
        super().__init__(torch.eye(4)[:2])


class NeedsWeights(LinearExtractor):
    def __init__(self):
        raise WeightsError("toy.safetensors: not here; put it beside you.")


class Gaussian(GaussianPrior):
    def __init__(self):
        super().__init__(torch.zeros(4), torch.eye(4))


@hookimpl
def fiber_audit_datasets():
    return {"toy-points": Points}


@hookimpl
def fiber_audit_extractors():
    return {"toy-first-two": FirstTwo, "toy-needs-weights": NeedsWeights}


@hookimpl
def fiber_audit_priors():
    return {"toy-gaussian": Gaussian}


@hookimpl
def fiber_audit_samplers():
    return {"toy-projecting": Projecting}


@hookimpl
def fiber_audit_metrics():
    return {"toy_loss": MeanLoss}
