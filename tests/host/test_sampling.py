"""The unguided way against the closed form, the steps, clipping, and the trail of draws."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from fiber_audit import PluginError, sampling
from fiber_audit.contracts import Prediction, Problem
from fiber_audit.sampling import (
    Noise,
    Trail,
    clipped,
    denoised,
    finish,
    noise_of,
    start,
    step,
    steps,
    unguided,
)
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


@pytest.mark.parametrize(
    ("schedule", "eta"),
    [
        ("vp", 1.0),
        ("flow", 0.0),
        pytest.param("vp", 0.0, marks=pytest.mark.slow),
        pytest.param("flow", 1.0, marks=pytest.mark.slow),
    ],
)
def test_unguided_draws_have_the_priors_mean_and_covariance(schedule, eta):
    prior = gaussian_problem(1, schedule=schedule).prior
    n = 2000
    found = unguided(prior, Noise(range(n)), steps=200, eta=eta).double()
    scale = prior.covariance.diagonal().sqrt()
    assert ((found.mean(0) - prior.mean).abs() < 4 * scale / n**0.5 + 0.02 * scale).all()
    gap = (torch.cov(found.T) - prior.covariance).abs() / (scale[:, None] * scale)
    assert gap.max() < 0.15  # four standard errors of 2000 draws, and DDPM's own bias


def test_a_start_is_float32_whatever_the_weights_of_the_prior_are():
    prior = gaussian_problem(1).prior
    prior.network.half()
    assert start(prior, Noise([0]), prior.schedule.times(5)[0]).dtype == torch.float32


@pytest.mark.parametrize("schedule", ["vp", "flow"])
def test_the_steps_of_a_grid_lead_from_its_first_time_to_data(schedule):
    prior = gaussian_problem(1, schedule=schedule).prior
    times = prior.schedule.times(6)
    walked = list(steps(prior, Noise([0]), times))
    assert [(t, s) for t, s, _ in walked] == [*pairwise(times)]
    assert walked[-1][1] == 0


def test_no_step_adds_fresh_noise_at_eta_zero_and_all_but_the_last_do_otherwise():
    prior = gaussian_problem(3).prior
    times, noise, stream = prior.schedule.times(4), Noise(range(3)), Noise(range(3))
    assert all(z is None for _, _, z in steps(prior, noise, times, eta=0.0))
    *fresh, last = (z for _, _, z in steps(prior, noise, times, eta=0.5))
    assert last is None
    assert all(torch.equal(z, stream.normal((8,))) for z in fresh)  # in the order of the stream


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_the_unguided_way_is_the_plain_loop(eta):
    prior = gaussian_problem(4).prior
    times, noise = prior.schedule.times(9, 2.0), Noise(range(4))
    x = start(prior, noise, times[0])
    for t, s, z in steps(prior, noise, times, eta):
        x0, eps = denoised(prior, x, t)
        x = step(prior.schedule, x0, eps, t, s, eta, z)
    assert torch.equal(x, unguided(prior, Noise(range(4)), 9, eta, power=2.0))


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


def test_a_row_that_is_not_finite_at_the_end_is_marked_and_reports_zero():
    states = torch.full((3, 2), 0.5)
    states[1, 0], states[2, 1] = torch.nan, torch.inf
    draws = finish(bounded_problem(3), states, length=torch.tensor([1.0, 2.0, torch.nan]))
    assert draws.finite.tolist() == [True, False, False]
    assert draws.data.tolist() == draws.states.tolist() == [[0.5, 0.5], [0.0, 0.0], [0.0, 0.0]]
    assert draws.diagnostics["length"].tolist() == [1.0, 0.0, 0.0]
    assert draws.diagnostics["saturation"].tolist() == [0.0, 0.0, 0.0]


def test_a_draw_that_decodes_to_what_is_not_finite_is_lost():
    problem = bounded_problem(2)
    problem.prior.decode = lambda state: 1 / state
    draws = finish(problem, torch.tensor([[2.0, 2.0], [0.0, 2.0]]))
    assert draws.finite.tolist() == [True, False]
    assert draws.data.tolist() == [[0.5, 0.5], [0.0, 0.0]]


@pytest.mark.parametrize("nothing", [torch.nan, torch.inf, -torch.inf])
def test_a_row_that_left_the_finite_numbers_goes_on_from_zero_and_stays_lost(nothing):
    trail, x = Trail(bounded_problem(2)), torch.full((2, 2), 0.5)
    x[1, 0] = nothing
    x = trail.add(x, torch.tensor([3.0, 4.0]))
    assert x.tolist() == [[0.5, 0.5], [0.0, 0.0]]
    x = trail.add(x + 0.25, torch.tensor([1.0, 2.0]))
    draws = trail.finish(x + 0.25)
    assert draws.finite.tolist() == [True, False]
    assert draws.data.tolist() == [[1.0, 1.0], [0.0, 0.0]]


def test_a_row_whose_loss_is_not_finite_is_lost_too_and_its_path_is_zero_from_there():
    trail, x = Trail(bounded_problem(3)), torch.ones(3, 2)
    for loss in ([1.0, 2.0, 3.0], [0.5, torch.nan, 2.0], [0.25, 1.0, torch.inf]):
        x = trail.add(x, torch.tensor(loss))
    assert trail.lost.tolist() == [False, True, True]
    assert trail.finish(x).path.tolist() == [[1.0, 0.5, 0.25], [2.0, 0.0, 0.0], [3.0, 2.0, 0.0]]


def test_a_lost_row_changes_no_other_row_bit_for_bit():
    problem, others = gaussian_problem(4), torch.tensor([0, 1, 3])

    def draw(lose):
        noise, times = Noise(range(4)), problem.prior.schedule.times(8)
        x, trail = start(problem.prior, noise, times[0]), Trail(problem)
        for t, s, z in steps(problem.prior, noise, times, 1.0):
            x0, eps = denoised(problem.prior, x, t)
            x = step(problem.prior.schedule, x0, eps, t, s, 1.0, z)
            if lose and t == times[3]:
                x[2] = torch.nan
            x = trail.add(x, (problem.features(x0) - problem.targets).norm(dim=1))
        return trail.finish(x)

    whole, lost = draw(False), draw(True)
    assert lost.finite.tolist() == [True, True, False, True]
    assert torch.equal(whole.data[others], lost.data[others])
    assert torch.equal(whole.path[others], lost.path[others])
    assert (lost.data[2] == 0).all()


@pytest.mark.parametrize("loss", [torch.tensor(1.0), torch.ones(1)])
def test_a_loss_that_is_not_one_per_draw_is_refused(loss):
    with pytest.raises(PluginError, match=r"loss has shape .* for 3 draws"):
        Trail(bounded_problem(3)).add(torch.ones(3, 2), loss)
    with pytest.raises(PluginError, match="length has shape"):
        finish(bounded_problem(3), torch.ones(3, 2), length=loss)


def test_a_finished_draw_holds_no_graph():
    trail, x = Trail(bounded_problem(2)), torch.full((2, 2), 0.5, requires_grad=True)
    draws = trail.finish(2 * x)
    assert not draws.data.requires_grad
    assert not draws.states.requires_grad


def test_the_kit_offers_what_its_documentation_says():
    offered = {name for name in sampling.__all__ if hasattr(sampling, name)}
    assert offered == {*sampling.__all__} == {
        "BLOCK", "FlowSchedule", "Noise", "Schedule", "Trail", "VPSchedule", "asked", "at",
        "by_blocks", "clipped", "denoised", "derive_seed", "finish", "in_blocks", "noise_of",
        "over", "place", "rms", "start", "step", "steps", "unguided",
    }  # fmt: skip
