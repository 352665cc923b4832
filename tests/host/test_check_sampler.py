"""Checks of priors and samplers, on Gaussians whose fibers are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from fiber_audit.check import check_prior, check_sampler, round_trip
from fiber_audit.contracts import Prediction, Sampler
from fiber_audit.sampling import (
    FlowSchedule,
    Trail,
    denoised,
    finish,
    start,
    step,
    steps,
    unguided,
)
from fiber_audit.testing import GaussianPrior, gaussian_problem


def names(found):
    return {violation.name for violation in found}


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
        prior, trail = problem.prior, Trail(problem)
        times = prior.schedule.times(20)
        x = start(prior, noise, times[0])
        for t, s, z in steps(prior, noise, times):
            x0, eps = denoised(prior, x, t)
            x0 = x0.detach().requires_grad_(True)
            (g,) = torch.autograd.grad(loss_of(problem, x0), x0)
            x = trail.add(step(prior.schedule, x0.detach() - 0.5 * g, eps, t, s, 0.0, z))
        return trail.finish(x)

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
        draws = super().sample(problem, noise)
        return replace(draws, data=draws.data[1:])


class Remembers(Steering):
    calls = 0

    def sample(self, problem, noise):
        self.calls += 1
        return finish(problem, unguided(problem.prior, noise, 5) + 1e-3 * self.calls)


class Widened(Steering):
    def sample(self, problem, noise):
        draws = super().sample(problem, noise)
        return replace(draws, data=draws.data.double())


class Leaves(Steering):
    def sample(self, problem, noise):
        raise SystemExit(0)


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
        (Widened, "shape"),
        (Leaves, "call"),
        (NoFlow, "call"),
    ],
)
def test_a_bad_sampler_is_found_by_name(bad, name):
    assert name in names(check_sampler(bad()))
