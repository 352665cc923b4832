"""Laws of the guidance methods, each in a closed form or against another method."""

import ast
import inspect
import math
import textwrap
from functools import partial

import pytest
import torch
from fiber_audit_guidance.dps import DPS
from fiber_audit_guidance.freedom import FreeDoM
from fiber_audit_guidance.mpgd import MPGD
from fiber_audit_guidance.red_diff import REDDiff
from fiber_audit_guidance.tfg import TFG, smoothed
from fiber_audit_guidance.time_travel import renoised
from fiber_audit_guidance.ugd import UGD
from fiber_audit_guidance.unconditional import Unconditional

from fiber_audit._draw.meter import Meter
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.contracts import Problem
from fiber_audit.sampling import (
    BLOCK,
    FlowSchedule,
    Noise,
    denoised,
    derive_seed,
    rms,
    start,
    unguided,
)
from fiber_audit.testing import GaussianPrior, LinearExtractor, gaussian_problem, linear_betas

GUIDED = {"dps": DPS, "freedom": FreeDoM, "mpgd": MPGD, "red-diff": REDDiff, "tfg": TFG, "ugd": UGD}
SCHEDULES = ["vp", "flow"]


def noise(n, root=0):
    return Noise([derive_seed(root, i) for i in range(n)])


def gains(problem, t):
    """dE[x0 | x_t] / dx_t of the Gaussian prior, (d, d) float64."""
    prior = problem.prior
    a, s = prior.schedule.alpha(t), prior.schedule.sigma(t)
    eye = torch.eye(len(prior.mean), dtype=torch.float64)
    return a * prior.covariance @ torch.linalg.inv(a**2 * prior.covariance + s**2 * eye)


def first_estimate(problem, n):
    """t, x_t, E[x0 | x_t] and the unit residual at the start of a one-step trajectory, float64."""
    prior = problem.prior
    t = prior.schedule.times(1)[0]
    x = start(prior, noise(n), t).double()
    x0 = prior.mean + (x - prior.schedule.alpha(t) * prior.mean) @ gains(problem, t).T
    r = x0 @ problem.extractor.matrix.double().T - problem.targets.double()
    return t, x, x0, r / r.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("name", GUIDED)
def test_registered_under_its_name_with_the_defaults_of_its_class(name):
    factory = Catalogue.load().find("sampler", name).factory

    assert factory() == GUIDED[name]()


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("method", [DPS, FreeDoM, MPGD, TFG, UGD])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_strength_zero_is_the_prior_bit_for_bit(method, schedule, eta):
    problem = gaussian_problem(5, schedule=schedule)
    draws = method(strength=0.0, steps=7, eta=eta).sample(problem, noise(5))

    assert torch.equal(draws.states, unguided(problem.prior, noise(5), steps=7, eta=eta))


def test_red_diff_at_strength_zero_returns_its_start():
    problem = gaussian_problem(5)
    draws = REDDiff(strength=0.0, start_steps=7).sample(problem, noise(5))

    assert torch.equal(draws.states, unguided(problem.prior, noise(5), steps=7))


def test_the_null_ignores_the_target():
    problem = gaussian_problem(5)
    other = Problem(problem.extractor, problem.prior, problem.queries, problem.targets + 1)
    sampler = Unconditional(steps=7)

    assert not sampler.guided
    assert torch.equal(sampler.sample(problem, noise(5)).data, sampler.sample(other, noise(5)).data)


def test_a_dps_step_is_its_formula():
    """One step from pure noise: x0 - 2 zeta K' A' r / |r|, K the gain of the exact denoiser."""
    problem = gaussian_problem(6)
    t, _, x0, unit = first_estimate(problem, 6)
    downhill = unit @ problem.extractor.matrix.double() @ gains(problem, t)
    draws = DPS(strength=0.3, steps=1).sample(problem, noise(6))

    torch.testing.assert_close(draws.data.double(), x0 - 0.6 * downhill, atol=1e-4, rtol=1e-4)


def test_an_mpgd_step_is_its_formula():
    problem = gaussian_problem(6)
    _, _, x0, unit = first_estimate(problem, 6)
    draws = MPGD(strength=0.3, steps=1).sample(problem, noise(6))

    expected = x0 - 0.3 * unit @ problem.extractor.matrix.double()
    torch.testing.assert_close(draws.data.double(), expected, atol=1e-4, rtol=1e-4)


def test_a_forward_ugd_step_is_a_gradient_step_in_the_metric_of_the_posterior():
    """Delta x0 = -w V A' r / |r| with Tweedie's V = sigma^2 / alpha K."""
    problem = gaussian_problem(6)
    t, _, x0, unit = first_estimate(problem, 6)
    schedule = problem.prior.schedule
    covariance = schedule.sigma(t) ** 2 / schedule.alpha(t) * gains(problem, t)
    draws = UGD(strength=0.3, steps=1, backward_steps=0).sample(problem, noise(6))

    expected = x0 - 0.3 * unit @ problem.extractor.matrix.double() @ covariance
    torch.testing.assert_close(draws.data.double(), expected, atol=2e-3, rtol=2e-3)


def test_a_flow_is_not_guided_by_ugd_where_the_state_holds_no_data():
    problem = gaussian_problem(6, schedule="flow")
    draws = UGD(strength=3.0, steps=1).sample(problem, noise(6))

    assert torch.equal(draws.states, unguided(problem.prior, noise(6), steps=1, eta=1.0))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_tfg_with_variance_guidance_alone_is_dps(schedule):
    problem = gaussian_problem(5, schedule=schedule)
    tfg = TFG(strength=0.2, steps=20, mu=0.0, smoothing=0.0, weighting="flat")
    dps = DPS(strength=0.1, steps=20)
    a, b = tfg.sample(problem, noise(5)), dps.sample(problem, noise(5))

    # DPS is guided at t = 1 too, where a flow has no data and its slope is zero
    torch.testing.assert_close(a.data, b.data, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_tfg_with_one_step_of_mean_guidance_alone_is_mpgd(schedule):
    problem = gaussian_problem(5, schedule=schedule)
    tfg = TFG(
        strength=0.2, steps=20, rho=0.0, mu=1.0, smoothing=0.0, mean_steps=1, weighting="constant"
    )
    mpgd = MPGD(strength=0.2, steps=20)
    a, b = tfg.sample(problem, noise(5)), mpgd.sample(problem, noise(5))

    torch.testing.assert_close(a.data, b.data, atol=1e-5, rtol=1e-5)


def test_freedom_without_time_travel_is_dps_with_a_weight():
    """At one step the weight is its own mean: rho = 2 zeta."""
    problem = gaussian_problem(5)
    a = FreeDoM(strength=0.2, steps=1, repeats=1).sample(problem, noise(5))
    b = DPS(strength=0.1, steps=1).sample(problem, noise(5))

    torch.testing.assert_close(a.data, b.data)


@pytest.mark.parametrize("schedule", [linear_betas(), FlowSchedule()])
def test_time_travel_keeps_the_law_of_the_noisy_state(schedule):
    """From x_s = alpha_s x0 + sigma_s e to the mean alpha_t x0 and the variance sigma_t^2."""
    s, t = torch.tensor(0.3, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64)
    one, none = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    mean = renoised(schedule, schedule.alpha(s) * one, s, t, none)
    by_old = renoised(schedule, schedule.sigma(s) * one, s, t, none)
    by_new = renoised(schedule, none, s, t, one)

    torch.testing.assert_close(mean, schedule.alpha(t) * one)
    torch.testing.assert_close(by_old**2 + by_new**2, schedule.sigma(t) ** 2 * one)


@pytest.mark.parametrize("method", GUIDED.values(), ids=GUIDED)
def test_a_draw_does_not_depend_on_its_batch(method):
    problem = gaussian_problem(4)
    varied = problem.targets + torch.arange(4.0)[:, None]
    problem = Problem(problem.extractor, problem.prior, problem.queries, varied)
    sampler = method(steps=12)
    together = sampler.sample(problem, noise(4))
    rows = [torch.tensor([i]) for i in range(4)]
    alone = [sampler.sample(problem.select(row), noise(4).select(row)) for row in rows]

    torch.testing.assert_close(
        together.data, torch.cat([a.data for a in alone]), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("method", GUIDED.values(), ids=GUIDED)
def test_a_lost_draw_is_marked_and_poisons_no_other(method):
    problem = gaussian_problem(4)
    broken = problem.targets.clone()
    broken[1] = float("nan")
    sampler = method(steps=12)
    kept = torch.tensor([0, 2, 3])
    sound = sampler.sample(problem, noise(4))
    hurt = sampler.sample(
        Problem(problem.extractor, problem.prior, problem.queries, broken), noise(4)
    )

    assert hurt.finite.tolist() == [True, False, True, True]
    assert torch.equal(hurt.data[kept], sound.data[kept])
    assert torch.equal(hurt.path[kept], sound.path[kept])
    assert hurt.path.isfinite().all()


@pytest.mark.parametrize(
    "schedule",
    [pytest.param("vp", marks=pytest.mark.slow), "flow"],  # tests/contracts/ has the other one
)
@pytest.mark.parametrize("method", GUIDED.values(), ids=GUIDED)
def test_defaults_reach_a_tenth_of_the_unguided_fiber_loss(method, schedule):
    problem = gaussian_problem(64, schedule=schedule)
    draws = method().sample(problem, noise(64))
    free = unguided(problem.prior, noise(64))

    def loss(x):
        return rms(problem.extractor.features(x) - problem.targets).mean()

    assert draws.finite.all()
    assert loss(draws.data) < 0.1 * loss(free)


def test_red_diff_collapses_along_the_fiber():
    """Its stated failure: less than half of the true spread in the free directions."""
    problem = gaussian_problem(200)
    _, covariance = problem.prior.conditional(problem.extractor.matrix, problem.targets[0])
    draws = REDDiff(strength=10.0).sample(problem, noise(200))

    assert torch.cov(draws.data.double().T).trace() < 0.5 * covariance.trace()


COST = {  # per step of T = 12: forward and backward of the prior, then of the extractor
    "dps": (DPS(steps=12), 12, 12, 12, 12),
    "mpgd": (MPGD(steps=12), 12, 0, 12, 12),
    "freedom": (FreeDoM(steps=12, repeats=3, travel=(0.0, 1.0)), 36, 36, 36, 36),
    "ugd": (UGD(steps=12, backward_steps=3), 12, 12, 48, 48),
    "tfg": (TFG(steps=12, mean_steps=4, samples=2, smoothing=0.1), 12, 12, 120, 120),
    "red-diff": (REDDiff(steps=12, start_steps=5), 17, 0, 12, 12),
}


@pytest.mark.parametrize("name", COST)
def test_costs_are_those_of_the_readme(name):
    sampler, *expected = COST[name]
    problem = gaussian_problem(BLOCK)
    with Meter(problem.prior, problem.extractor) as cost:
        sampler.sample(problem, noise(BLOCK))
    found = [
        cost.prior_forward,
        cost.prior_backward,
        cost.extractor_forward,
        cost.extractor_backward,
    ]

    assert [n / BLOCK for n in found] == expected


def test_the_smoothed_objective_is_a_mean_of_likelihoods_and_steadier_with_more_samples():
    """Log mean_k exp(-|delta_k|), delta ~ N(0, 1), in one dimension, where the mean is known."""
    prior = GaussianPrior(torch.zeros(1), torch.eye(1))
    problem = Problem(
        LinearExtractor(torch.eye(1)), prior, torch.zeros(200, 1), torch.zeros(200, 1)
    )
    x0 = torch.zeros(200, 1)
    values = [smoothed(problem, x0, noise(200).normal((k, 1))) for k in (1, 1000)]

    # E exp(-|z|) = 2 exp(1/2) Phi(-1)
    expected = math.log(2 * math.exp(0.5) * 0.15865525393145707)
    assert abs(values[1].mean() + expected) < 0.005  # what is descended is minus the logarithm
    assert values[1].std() < 0.1 * values[0].std()


@pytest.mark.parametrize("method", [DPS, FreeDoM, MPGD, UGD, partial(TFG, smoothing=0.0), REDDiff])
def test_a_path_is_the_fiber_loss_in_rms_that_each_step_saw(method):
    problem = gaussian_problem(4)
    x = start(problem.prior, noise(4), problem.prior.schedule.times(1)[0])
    seen = denoised(problem.prior, x, problem.prior.schedule.times(1)[0]).x0
    if method is REDDiff:  # it starts from an unguided draw
        seen, method = unguided(problem.prior, noise(4), 50), partial(REDDiff, start_steps=50)
    path = method(steps=1).sample(problem, noise(4)).path

    torch.testing.assert_close(path[:, 0], rms(problem.features(seen) - problem.targets))


@pytest.mark.parametrize("method", [DPS, MPGD])
def test_the_loop_of_a_sampler_has_at_most_six_lines(method):
    tree = ast.parse(textwrap.dedent(inspect.getsource(method.sample)))
    (loop,) = (node for node in ast.walk(tree) if isinstance(node, ast.For))

    assert loop.end_lineno - loop.lineno + 1 <= 6
