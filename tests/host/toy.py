"""A whole world in one file: a plugin whose audits take milliseconds. Loaded with --plugin."""

from __future__ import annotations

import torch

from fiber_audit import DataError, Noise, WeightsError, finish, hookimpl, unguided
from fiber_audit.contracts import (
    Count,
    Dataset,
    Draws,
    Measurement,
    Metric,
    NonNegative,
    Problem,
    Queries,
    Sampler,
)
from fiber_audit.testing import GaussianPrior, LinearExtractor


class Points(Dataset):
    data_shape = (4,)

    def __init__(self, n):
        if n > 50:
            raise DataError(f"queries.n = {n}: this data set has 50 points; ask for fewer.")
        self.n = n

    def queries(self):
        data = torch.randn(50, 4, generator=torch.Generator().manual_seed(5))[: self.n]
        return Queries(data, tuple(f"point-{i}" for i in range(self.n)))


class Projecting(Sampler):
    """The prior's draw, moved a share `strength` of the way onto the fiber x[:2] = h."""

    def __init__(self, strength, diverge_at, crash):
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

    def __init__(self, fail):
        self.fail = fail

    def measure(self, context):
        if self.fail:
            raise ZeroDivisionError("no luck")
        per_query = context.fiber_loss.mean(1)
        rows = [
            Measurement("toy_loss", "mean", v, 1, "feature", "fidelity", "lower", query=i)
            for v, i in zip(per_query.tolist(), context.queries.ids, strict=True)
        ]
        q = len(per_query)
        mean, err = per_query.mean().item(), (per_query.std() / q**0.5).item()
        return [
            Measurement("toy_loss", "mean", mean, q, "feature", "fidelity", "lower", err,
                        mean - 2 * err, mean + 2 * err),
            *rows,
        ]  # fmt: skip


def _points(*, n: Count = 5):
    return Points(n)


def _first_two():
    return LinearExtractor(torch.eye(4)[:2])


def _needs_weights():
    raise WeightsError("toy.safetensors: not here; put it beside you.")


def _gaussian():
    return GaussianPrior(torch.zeros(4), torch.eye(4))


def _projecting(*, strength: NonNegative = 1.0, diverge_at: int = -1, crash: bool = False):
    return Projecting(strength, diverge_at, crash)


def _mean_loss(*, fail: bool = False):
    return MeanLoss(fail)


@hookimpl
def fiber_audit_datasets():
    return {"toy-points": _points}


@hookimpl
def fiber_audit_extractors():
    return {"toy-first-two": _first_two, "toy-needs-weights": _needs_weights}


@hookimpl
def fiber_audit_priors():
    return {"toy-gaussian": _gaussian}


@hookimpl
def fiber_audit_samplers():
    return {"toy-projecting": _projecting}


@hookimpl
def fiber_audit_metrics():
    return {"toy_loss": _mean_loss}
