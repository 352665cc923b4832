"""The one step against diffusers' schedulers, and the grids of time."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, FlowMatchEulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st

from fiber_audit import UsageError
from fiber_audit.sampling import FlowSchedule, VPSchedule, noise_of, over, step
from fiber_audit.testing import linear_betas

BETAS = {"beta_start": 1e-4, "beta_end": 0.02, "clip_sample": False}


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def vp_of(peer):
    return VPSchedule(peer.alphas_cumprod)


@pytest.mark.parametrize("steps", [7, 50, 200, 1000])
@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_the_step_is_ddim_at_every_time_of_the_grid(steps, eta):
    peer = DDIMScheduler(**BETAS, set_alpha_to_one=True, timestep_spacing="leading")
    schedule, times = vp_of(peer), vp_of(peer).times(steps)
    peer.set_timesteps(steps)
    x, eps, z = normal(3, 4, 5)
    for t, s in pairwise(times):
        k, stride = int(schedule.index(t)), int(schedule.index(t) - schedule.index(s))
        if s > 0 and stride != 1000 // steps:
            continue  # 1000 is no multiple of the steps: diffusers' stride is always the floor
        x0 = (x - over(schedule.sigma(t), x) * eps) / over(schedule.alpha(t), x)
        noise = z if s > 0 else torch.zeros_like(z)
        theirs = peer.step(eps, k, x, eta=eta, variance_noise=noise).prev_sample
        ours = step(schedule, x0, eps, t, s, eta, z if s > 0 else None)
        torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("steps", [50, 200, 1000])
def test_the_grid_is_ddims_leading_one(steps):
    peer = DDIMScheduler(**BETAS, timestep_spacing="leading")
    peer.set_timesteps(steps)
    schedule = vp_of(peer)
    assert torch.equal(schedule.index(schedule.times(steps)[:-1]), peer.timesteps)


def test_the_step_at_eta_one_is_the_posterior_of_ddpm():
    peer = DDPMScheduler(**BETAS, variance_type="fixed_small")
    schedule = vp_of(peer)
    x, eps, z = normal(3, 4, 5)
    for k in (1, 2, 10, 500, 999):
        t, s = torch.tensor((k + 1) / 1000), torch.tensor(k / 1000)
        x0 = (x - over(schedule.sigma(t), x) * eps) / over(schedule.alpha(t), x)
        beta, abar = peer.betas.double()[k], peer.alphas_cumprod.double()
        mean = abar[k - 1].sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - abar[k - 1]) * x
        mean = mean / (1 - abar[k])
        variance = beta * (1 - abar[k - 1]) / (1 - abar[k])
        ours = step(schedule, x0, eps, t, s, 1.0, z)
        torch.testing.assert_close(ours, mean + variance.sqrt() * z, rtol=1e-4, atol=1e-4)
        without = step(schedule, x0, eps, t, s, 1.0, torch.zeros_like(z))
        # DDPMScheduler draws its own noise: its mean is what is left at its own variance
        theirs = peer.step(eps, k, x, generator=torch.Generator().manual_seed(1)).prev_sample
        drawn = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
        torch.testing.assert_close(without + variance.sqrt() * drawn, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("steps", [2, 10, 100])
def test_the_step_on_a_flow_is_eulers(steps):
    peer = FlowMatchEulerDiscreteScheduler()
    times = FlowSchedule().times(steps)
    peer.set_timesteps(sigmas=times[:-1].tolist())
    x, v = normal(2, 4, 5)
    ours = theirs = x.float()
    for (t, s), k in zip(pairwise(times), peer.timesteps, strict=True):
        velocity = (v + ours.double()).float()  # any field that depends on the state
        ours = step(
            FlowSchedule(), ours - over(t, ours) * velocity, ours + over(1 - t, ours) * velocity,
            t, s,
        )  # fmt: skip
        theirs = peer.step((v + theirs.double()).float(), k, theirs).prev_sample
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("schedule", [linear_betas(), FlowSchedule()], ids=["vp", "flow"])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_a_step_of_a_true_pair_keeps_the_marginal_variance(schedule, eta):
    times = schedule.times(10)
    x0 = torch.zeros(20_000, 1, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    eps, z = (torch.randn(x0.shape, generator=generator, dtype=x0.dtype) for _ in range(2))
    for t, s in pairwise(times):
        x_s = step(schedule, x0, eps, t, s, eta, z)
        assert abs(x_s.std() - schedule.sigma(s)) < 0.02


def test_data_and_noise_are_the_ends_of_time():
    zero, one = torch.tensor(0.0), torch.tensor(1.0)
    for schedule in (linear_betas(), FlowSchedule()):
        assert (schedule.alpha(zero), schedule.sigma(zero)) == (1, 0)
        assert schedule.sigma(one) > 0.9999
    t = torch.linspace(0, 1, 1001)
    vp = linear_betas()
    torch.testing.assert_close(vp.alpha(t) ** 2 + vp.sigma(t) ** 2, torch.ones_like(t))
    assert (vp.sigma(t).diff() > 0).all()


def test_the_noise_of_a_state_takes_its_clean_state_there():
    x0, eps = normal(2, 4, 5)
    for schedule in (linear_betas(), FlowSchedule()):
        t = torch.tensor([0.1, 0.4, 0.7, 1.0], dtype=torch.float64)
        x_t = over(schedule.alpha(t), x0) * x0 + over(schedule.sigma(t), x0) * eps
        torch.testing.assert_close(noise_of(schedule, x_t, x0, t), eps)


@given(steps=st.integers(1, 1000), power=st.sampled_from([1.0, 1.5, 2.0, 3.0]))
def test_a_grid_falls_strictly_from_noise_to_zero_on_training_indices(steps, power):
    schedule = linear_betas()
    times = schedule.times(steps, power)
    assert len(times) == steps + 1
    assert times[-1] == 0
    assert times[0] == 1 if power != 1 else times[0] > 1 - 1 / steps
    assert (times.diff() < 0).all()
    assert schedule.index(times).unique().numel() == steps + 1
    torch.testing.assert_close(times * 1000, (times * 1000).round(), rtol=0, atol=1e-9)


def test_a_greater_power_puts_more_of_the_grid_near_zero():
    for schedule in (linear_betas(), FlowSchedule()):
        near = [(schedule.times(40, p) < 0.25).sum() for p in (1.0, 1.5, 2.0, 3.0)]
        assert near == sorted(near)
        assert near[0] < near[-1]


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_more_steps_than_the_prior_was_trained_with_are_refused(power):
    with pytest.raises(UsageError, match="steps = 1001: this prior has 1000 training steps"):
        linear_betas().times(1001, power)
