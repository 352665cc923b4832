"""The unguided way against the closed form, clipping, and the finish."""

from __future__ import annotations

import pytest
import torch

from fiber_audit import Noise, clipped, finish, noise_of, start, unguided
from fiber_audit.contracts import Prediction, Problem
from fiber_audit.testing import GaussianPrior, LinearExtractor, gaussian_problem

MEAN = torch.tensor([1.0, -2.0, 0.5])


@pytest.mark.parametrize("schedule", ["vp", "flow"])
def test_without_noise_a_draw_is_the_mean_plus_the_deviation_times_its_start(schedule):
    sigma = torch.tensor([0.5, 1.0, 2.0])
    prior = GaussianPrior(MEAN, torch.diag(sigma**2), schedule)
    x_t = start(prior, Noise(range(50)), torch.tensor(1.0))
    found = unguided(prior, Noise(range(50)), steps=500)
    error = (found - (MEAN + sigma * x_t)).square().mean(0).sqrt()
    assert (error < 0.02 * sigma + 0.02 * MEAN.abs()).all()


@pytest.mark.parametrize("schedule", ["vp", "flow"])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_unguided_draws_have_the_priors_mean_and_covariance(schedule, eta):
    prior = gaussian_problem(1, schedule=schedule).prior
    n = 2000
    found = unguided(prior, Noise(range(n)), steps=200, eta=eta).double()
    scale = prior.covariance.diagonal().sqrt()
    assert ((found.mean(0) - prior.mean).abs() < 4 * scale / n**0.5 + 0.02 * scale).all()
    gap = (torch.cov(found.T) - prior.covariance).abs() / (scale[:, None] * scale)
    assert gap.max() < 0.15  # four standard errors of 2000 draws, and DDPM's own bias


def test_the_denoiser_is_the_posterior_mean():
    prior = gaussian_problem(1, schedule="vp").prior
    n, t = 40_000, torch.tensor(0.3)
    generator = torch.Generator().manual_seed(0)
    root = torch.linalg.cholesky(prior.covariance)
    x0 = prior.mean + torch.randn(n, 8, generator=generator, dtype=torch.float64) @ root.T
    eps = torch.randn(n, 8, generator=generator, dtype=torch.float64)
    x_t = prior.schedule.alpha(t) * x0 + prior.schedule.sigma(t) * eps
    residual = x0 - prior.predict(x_t.float(), t.expand(n)).x0.double()
    design = torch.cat([x_t - x_t.mean(0), torch.ones(n, 1)], dim=1)
    # the error of E[x0 | x_t] is uncorrelated with every function of x_t, the linear ones here
    assert (design.T @ residual / n).abs().max() < 0.02


def test_clipping_a_prediction_leaves_no_noise_over():
    prior = gaussian_problem(1).prior
    prior.clip = (-0.5, 0.5)
    t, x_t, x0 = torch.tensor(0.4), torch.randn(4, 8), 3 * torch.randn(4, 8)
    found = clipped(prior, x_t, t, Prediction(x0, noise_of(prior.schedule, x_t, x0, t)))
    assert found.x0.abs().max() <= 0.5
    again = prior.schedule.alpha(t) * found.x0 + prior.schedule.sigma(t) * found.eps
    torch.testing.assert_close(again, x_t)
    prior.clip = None
    assert clipped(prior, x_t, t, found) is found


def bounded_problem(n):
    prior = GaussianPrior(torch.zeros(2), torch.eye(2))
    prior.data_range = (0.0, 1.0)
    return Problem(LinearExtractor(torch.eye(2)), prior, torch.zeros(n, 2), torch.zeros(n, 2))


def test_a_finished_draw_is_clamped_to_the_data_range_and_says_how_much():
    states = torch.tensor([[0.2, 0.4], [1.5, 0.3], [-1.0, 2.0], [1.0005, 0.5]])
    draws = finish(bounded_problem(4), states)
    assert torch.equal(draws.data, states.clamp(0, 1))
    assert torch.equal(draws.states, states)
    assert draws.diagnostics["saturation"].tolist() == [0.0, 0.5, 1.0, 0.0]
    assert draws.path.shape == (4, 0)


def test_a_row_that_is_not_finite_is_marked_and_zeroed_and_so_is_its_path():
    states = torch.full((3, 2), 0.5)
    states[1, 0] = torch.nan
    path = [torch.tensor([1.0, torch.nan, torch.inf]), torch.tensor([0.5, 0.5, 0.5])]
    draws = finish(bounded_problem(3), states, path, torch.tensor([True, True, False]))
    assert draws.finite.tolist() == [True, False, False]
    assert draws.data.tolist() == [[0.5, 0.5], [0.0, 0.0], [0.0, 0.0]]
    assert draws.path.tolist() == [[1.0, 0.5], [0.0, 0.5], [0.0, 0.5]]
