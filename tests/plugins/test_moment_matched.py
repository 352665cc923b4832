"""Moment-matched guidance is exact for a Gaussian prior and a linear phi, and bends with phi."""

from itertools import pairwise

import pytest
import torch
from fiber_audit_moment_matched import fiber_audit_samplers
from fiber_audit_moment_matched.conjugate_gradients import solve
from fiber_audit_moment_matched.linearisation import Linearisation
from fiber_audit_moment_matched.multistep import second_order_step
from fiber_audit_moment_matched.posterior import Posterior

from fiber_audit import Noise, derive_seed, rms, step, unguided
from fiber_audit.contracts import Extractor, Problem
from fiber_audit.meter import Meter
from fiber_audit.testing import gaussian_problem, wasserstein_to_gaussian

CASES = [(8, 3), (8, 1), (8, 7), (32, 12)]
N = 1500


def sampler(**options):
    return fiber_audit_samplers()["moment-matched"](**options)


def noise(n, seed=0):
    return Noise([derive_seed(seed, i) for i in range(n)])


def floor(mean, covariance, n, repeats=8):
    """The largest W2 of n exact samples in a few repeats."""
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt()
    found = []
    for seed in range(repeats):
        g = torch.Generator().manual_seed(seed)
        exact = mean + torch.randn(n, len(mean), dtype=torch.float64, generator=g) @ root.T
        found.append(wasserstein_to_gaussian(exact, mean, covariance))
    return max(found)


@pytest.mark.parametrize(("d", "d_h"), CASES)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("schedule", ["vp", "flow"])
def test_draws_are_on_the_fiber_and_follow_the_true_conditional(d, d_h, seed, schedule):
    problem = gaussian_problem(N, d, d_h, seed, schedule)
    mean, covariance = problem.prior.conditional(problem.extractor.matrix, problem.targets[0])
    with Meter(problem.prior, problem.extractor) as cost:
        draws = sampler().sample(problem, noise(N))

    assert rms(problem.features(draws.states) - problem.targets).max() < 1e-3
    bound = max(0.03, 1.5 * floor(mean, covariance, N))
    assert wasserstein_to_gaussian(draws.states, mean, covariance) <= bound
    assert (cost.prior_forward + 2 * cost.prior_backward) / N <= 800  # a quarter of NDTM's 3,200


def test_the_posterior_covariance_is_tweedies():
    problem = gaussian_problem(2)
    s = problem.prior.covariance.float()
    t = torch.tensor(0.4)
    a, sigma = problem.prior.schedule.alpha(t), problem.prior.schedule.sigma(t)
    x = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    truth = torch.linalg.inv(torch.linalg.inv(s) + (a / sigma) ** 2 * torch.eye(8))
    v = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))

    torch.testing.assert_close(
        Posterior(problem.prior, x, t).covariance(v), v @ truth, atol=1e-4, rtol=1e-3
    )


def test_products_are_those_of_the_jacobian():
    def f(x):
        return torch.stack([x[:, 0] * x[:, 1], x[:, 2].sin(), x.square().sum(1)], 1)

    g = torch.Generator().manual_seed(0)
    x, u, w = (torch.randn(4, n, generator=g) for n in (5, 5, 3))
    here = Linearisation(f, x)
    for i in range(4):
        jacobian = torch.autograd.functional.jacobian(lambda y: f(y[None])[0], x[i])

        torch.testing.assert_close(here.push(u)[i], jacobian @ u[i])
        torch.testing.assert_close(here.pull(w)[i], jacobian.T @ w[i])


def test_conjugate_gradients_solve_each_row_and_sum_the_image():
    g = torch.Generator().manual_seed(0)
    root = torch.randn(3, 6, 6, generator=g, dtype=torch.float64)
    a = root @ root.mT + torch.eye(6, dtype=torch.float64)
    b = torch.randn(3, 6, generator=g, dtype=torch.float64)
    b[2] = 0

    def operator(p):
        return torch.einsum("nij,nj->ni", a, p), 2 * p

    found = solve(operator, b, torch.zeros(3, dtype=torch.float64), 1e-10, 30)

    torch.testing.assert_close(found.w, torch.linalg.solve(a, b), atol=1e-8, rtol=1e-8)
    torch.testing.assert_close(found.image, 2 * found.w)
    assert found.iterations[2] == 0


def test_a_row_with_negative_curvature_stops_and_does_not_harm_the_others():
    a = torch.stack([torch.eye(3), -torch.eye(3)]).double()
    b = torch.ones(2, 3, dtype=torch.float64)
    found = solve(lambda p: (torch.einsum("nij,nj->ni", a, p), p), b, 0 * b[:, 0], 1e-9, 5)

    torch.testing.assert_close(found.w[0], b[0])
    assert torch.equal(found.w[1], torch.zeros(3, dtype=torch.float64))


@pytest.mark.parametrize("schedule", ["vp", "flow"])
def test_the_second_order_step_is_at_least_twice_as_accurate_as_the_first(schedule):
    problem = gaussian_problem(200, schedule=schedule)
    prior = problem.prior

    def end(steps, order):
        times = prior.schedule.times(steps, 1.5)
        x, before = noise(200).normal((8,)), None
        for t, s in pairwise(times):
            x0, eps = prior.predict(x, t.float().expand(200))
            if order == 2 and before is not None and s > 0:
                x = second_order_step(prior.schedule, x, x0, before, t, s)
            else:
                x = step(prior.schedule, x0, eps, t, s)
            before = (t, x0)
        return x

    truth = end(600, 2)
    first, second = ((end(40, order) - truth).norm() for order in (1, 2))

    assert second < 0.5 * first


class Curved(Extractor):
    """phi(x) = tanh(A x): a linear fiber seen through a curved map, so the truth is known."""

    def __init__(self, matrix):
        self.network = torch.nn.Sequential(
            torch.nn.Linear(*matrix.T.shape, bias=False), torch.nn.Tanh()
        )
        self.network[0].weight.data.copy_(matrix)
        self.network.requires_grad_(False)
        self.feature_size = len(matrix)

    def features(self, x):
        return self.network(x)


def test_a_curved_phi_with_the_same_fiber_gives_the_same_conditional():
    linear = gaussian_problem(N)
    curved = Curved(0.5 * linear.extractor.matrix)
    problem = Problem(linear.extractor, linear.prior, linear.queries, linear.targets)
    problem = Problem(curved, linear.prior, linear.queries, curved.features(linear.queries))
    mean, covariance = linear.prior.conditional(linear.extractor.matrix, linear.targets[0])
    draws = sampler().sample(problem, noise(N))

    assert rms(draws.path[:, -1:]).mean() < 1e-3
    assert wasserstein_to_gaussian(draws.states, mean, covariance) < 3 * floor(mean, covariance, N)


@pytest.mark.parametrize("schedule", ["vp", "flow"])
def test_strength_0_is_the_prior_bit_for_bit(schedule):
    problem = gaussian_problem(4, schedule=schedule)
    draws = sampler(strength=0.0, steps=10, order=1, power=1.0).sample(problem, noise(4))

    assert torch.equal(draws.states, unguided(problem.prior, noise(4), 10))


def test_a_target_that_is_not_a_number_is_marked():
    problem = gaussian_problem(3)
    targets = problem.targets.clone()
    targets[1] = float("nan")
    bad = Problem(problem.extractor, problem.prior, problem.queries, targets)
    draws, whole = sampler().sample(bad, noise(3)), sampler().sample(problem, noise(3))

    assert draws.finite.tolist() == [True, False, True]
    torch.testing.assert_close(draws.states[[0, 2]], whole.states[[0, 2]])
