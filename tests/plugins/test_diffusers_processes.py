"""Noise processes of fiber_audit_diffusers, against the schedulers of diffusers."""

import math

import pytest
import torch
from diffusers import (
    CMStochasticIterativeScheduler,
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EDMDPMSolverMultistepScheduler,
    EDMEulerScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    FlowMatchLCMScheduler,
    LCMScheduler,
    PNDMScheduler,
    ScoreSdeVeScheduler,
    TCDScheduler,
    UniPCMultistepScheduler,
)
from fiber_audit_diffusers.process import Preconditioned
from fiber_audit_diffusers.schedulers import process_of

from fiber_audit import UsageError
from fiber_audit.contracts import Prior
from fiber_audit.sampling import Noise, at, over, start, step, unguided
from fiber_audit.testing import check_prior

STEPS = 8
SHAPE = (3, 4, 4)


class Pretender(torch.nn.Module):
    """A network of two numbers: what it sees and when decide what it says, per number."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([0.7, 0.1]), requires_grad=False)

    def forward(self, x, k):
        return torch.tanh(self.weight[0] * x) + self.weight[1] * torch.sin(over(k.float(), x))


class Pretended(Prior):
    """A prior of a process and that network."""

    state_shape = SHAPE
    weights_sha256 = "0" * 64

    def __init__(self, process):
        self.process, self.schedule, self.network = process, process.schedule, Pretender().eval()

    def predict(self, x_t, t):
        return self.process.prediction(self.network(*self.process.seen(x_t, t)), x_t, t)

    def decode(self, state):
        return state

    def encode(self, x):
        return x


def vp(kind, **options):
    return DDIMScheduler(prediction_type=kind, clip_sample=False, beta_end=0.005, **options)


SCHEDULERS = {
    "epsilon": vp("epsilon"),
    "sample": vp("sample"),
    "v": vp("v_prediction"),
    "v, zero terminal snr": vp(
        "v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"
    ),
    "v, continuous": EulerDiscreteScheduler(
        timestep_type="continuous",
        prediction_type="v_prediction",
        use_karras_sigmas=True,
        sigma_min=0.002,
        sigma_max=700.0,
    ),
    "edm": EDMEulerScheduler(),
    "edm, v": EDMEulerScheduler(prediction_type="v_prediction", sigma_data=1.0, sigma_max=120.0),
    "edm, exponential": EDMEulerScheduler(sigma_schedule="exponential"),
    "flow": FlowMatchEulerDiscreteScheduler(),
    "flow, shifted": FlowMatchEulerDiscreteScheduler(shift=3.0),
    "flow, dynamic": FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
}
TOKENS = 1024
MU = 0.5 + (1024 - 256) / (4096 - 256) * (1.15 - 0.5)


def set_grid(name, scheduler):
    """The scheduler's own grid: where it takes any, the host's."""
    even = torch.linspace(1, 1 / STEPS, STEPS).tolist()
    if name == "flow, dynamic":
        scheduler.set_timesteps(STEPS, sigmas=even, mu=MU)
    elif name.startswith("flow"):
        scheduler.set_timesteps(STEPS, sigmas=even)
    else:
        scheduler.set_timesteps(STEPS)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_trajectory_is_that_of_the_scheduler(name):
    scheduler = SCHEDULERS[name]
    prior = Pretended(process_of(scheduler, tokens=TOKENS))
    set_grid(name, scheduler)
    times = prior.schedule.times(STEPS)
    exploding = name.startswith(("edm", "v, continuous"))
    x = start(prior, Noise((1, 2)), times[0])
    if exploding:  # the scheduler's states are not rescaled
        x = x / prior.schedule.alpha(times[0]).float()
        assert x.std() == pytest.approx(float(scheduler.sigmas[0]), rel=0.3)
    for k in scheduler.timesteps:
        seen = scheduler.scale_model_input(x, k) if hasattr(scheduler, "scale_model_input") else x
        x = scheduler.step(prior.network(seen, k.expand(2)), k, x).prev_sample

    found = unguided(prior, Noise((1, 2)), STEPS)

    assert (found - x).abs().max() < 1e-4 * x.abs().max()


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_process_keeps_the_contract_of_a_prior(name):
    assert check_prior(Pretended(process_of(SCHEDULERS[name], tokens=TOKENS))) == []


def test_a_score_network_takes_the_schedulers_step_of_reverse_diffusion():
    scheduler = ScoreSdeVeScheduler(num_train_timesteps=50, sigma_max=30.0, sampling_eps=1e-3)
    scheduler.set_timesteps(50)
    prior = Pretended(process_of(scheduler))
    noise, (lower, level) = prior.schedule, scheduler.discrete_sigmas[29:31]
    y = torch.randn((2, *SHAPE), generator=torch.Generator().manual_seed(0)) * level
    score = prior.network(y, level.expand(2))
    wanted = scheduler.step_pred(score, torch.tensor(30.5 / 49), y).prev_sample_mean

    t, s = _time_of(noise, level), _time_of(noise, lower)
    x_t = y * noise.alpha(t)
    found = step(noise, *prior.predict(x_t, at(t, x_t)), t, s, 1.0, torch.zeros_like(y))

    assert torch.allclose(found / noise.alpha(s), wanted, rtol=1e-4, atol=1e-4)
    assert check_prior(prior) == []


def _time_of(noise, level):
    """The time of a level, by bisection."""
    low, high = torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if noise.level(middle) < level else (low, middle)
    return low.float()


def test_what_edm_predicts_is_what_the_scheduler_makes_of_it():
    scheduler, t = EDMEulerScheduler(), torch.tensor([0.2, 0.9])
    process = process_of(scheduler)
    assert isinstance(process, Preconditioned)
    y, output = torch.randn(2, 2, *SHAPE, generator=torch.Generator().manual_seed(0))
    for row, time in enumerate(t):
        level = process.schedule.level(time)
        x_t = (y * process.schedule.alpha(time))[row][None]

        seen, k = process.seen(x_t, time[None])
        x0, _ = process.prediction(output[row][None], x_t, time[None])

        wanted = scheduler.precondition_outputs(y[row], output[row], level)
        assert torch.allclose(seen[0], scheduler.precondition_inputs(y[row], level), rtol=1e-4)
        assert torch.allclose(k, scheduler.precondition_noise(level), rtol=1e-5)
        assert torch.allclose(x0[0], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "kind", [DDPMScheduler, PNDMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler]
)
def test_how_a_scheduler_steps_does_not_change_what_its_network_was_trained_on(kind):
    scheduler = kind(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)

    process = process_of(scheduler)

    index = torch.tensor([0, 499, 999])
    t = (index + 1) / 1000
    assert torch.allclose(process.schedule.alpha(t) ** 2, scheduler.alphas_cumprod[index])
    assert torch.equal(process.seen(torch.zeros(3, *SHAPE), t)[1], index)


@pytest.mark.parametrize(
    ("scheduler", "shift"),
    [
        (FlowMatchEulerDiscreteScheduler(shift=3.0), 3.0),
        (FlowMatchHeunDiscreteScheduler(shift=2.0), 2.0),
        (
            UniPCMultistepScheduler(
                use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=5.0
            ),
            5.0,
        ),
        (FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), math.exp(MU)),
    ],
)
def test_a_flow_begins_at_pure_noise_and_shifts_its_grid(scheduler, shift):
    times = process_of(scheduler, tokens=TOKENS).schedule.times(4)
    chosen = process_of(scheduler, shift=7.0).schedule.times(4)

    assert times[0] == 1
    assert times[2] == pytest.approx(shift / (1 + shift))  # of 1/2
    assert chosen[2] == pytest.approx(7 / 8)


@pytest.mark.parametrize(
    ("scheduler", "options", "says"),
    [
        (vp("epsilon", rescale_betas_zero_snr=True), {}, "zero terminal SNR"),
        (vp("epsilon", trained_betas=[0.1, 0.5, 1.0]), {}, "zero terminal SNR"),
        (vp("epsilon"), {"prediction": "flow_prediction"}, "epsilon or sample or v_prediction"),
        (vp("epsilon"), {"shift": 3.0}, "no scheduler of a flow"),
        (FlowMatchEulerDiscreteScheduler(), {"prediction": "epsilon"}, "predicts flow_prediction"),
        (FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), {}, "set a number"),
        (EDMDPMSolverMultistepScheduler(), {"prediction": "sample"}, "epsilon or v_prediction"),
        (CMStochasticIterativeScheduler(), {}, "CMStochasticIterativeScheduler"),
        (LCMScheduler(), {}, "LCMScheduler: .* distilled to jump to data"),
        (TCDScheduler(), {"prediction": "epsilon"}, "TCDScheduler: .* distilled"),
        (FlowMatchLCMScheduler(), {}, "FlowMatchLCMScheduler: .* distilled"),
    ],
)
def test_what_a_scheduler_cannot_mean_is_refused_in_a_sentence(scheduler, options, says):
    with pytest.raises(UsageError, match=says):
        process_of(scheduler, **options)


def test_what_the_user_says_goes_before_what_the_scheduler_says():
    zero = vp("epsilon", rescale_betas_zero_snr=True)

    assert process_of(zero, "v_prediction").name.endswith("v_prediction")
