"""Where a prior's Jacobian can be trusted is measured, and draws that are stuck come again."""

import pytest
import torch
from fiber_audit_moment_matched.moment_matched import MomentMatched
from fiber_audit_moment_matched.restart import STUCK, patched, stuck
from fiber_audit_moment_matched.trust import (
    ASYMMETRY,
    DECIDED,
    LEVELS,
    evidence,
    reach,
    time_of,
    unknown,
)

from fiber_audit._draw.meter import Meter
from fiber_audit.contracts import Extractor, Learned, Prediction, Problem
from fiber_audit.sampling import BLOCK, Noise, derive_seed, over, rms, unguided
from fiber_audit.testing import LAWS, GaussianPrior, gaussian_problem

SCHEDULES = ["vp", "flow"]
WRONG_ABOVE = 4.0


def noise(n, seed=0):
    return Noise([derive_seed(seed, i) for i in range(n)])


class WrongWhereNoisy(GaussianPrior):
    """Its mean is off above sigma / alpha = 4, by a linear map of the state."""

    def __init__(self, schedule, map_):
        like = gaussian_problem(1).prior
        super().__init__(like.mean, like.covariance, schedule)
        self.map = map_

    def predict(self, x_t, t):
        found = super().predict(x_t, t)
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        wrong = over((alpha / sigma**2) * (sigma > WRONG_ABOVE * alpha), x_t)
        x0 = found.x0 + wrong * (x_t @ self.map.T)
        return Prediction(x0, (x_t - over(alpha, x_t) * x0) / over(sigma, x_t))


def turning():
    a = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    return a - a.T


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("law", ["ring", "two-bumps", "four-bumps", "network"])
def test_an_exact_prior_is_trusted_everywhere_on_every_law(law, schedule):
    assert reach(LAWS[law](schedule).prior).trusted == torch.inf


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("d", "d_h"), [(1, 1), (2, 1), (8, 3), (64, 3)])
def test_an_exact_gaussian_prior_of_any_size_is_trusted_everywhere(d, d_h, schedule):
    assert reach(gaussian_problem(1, d, d_h, schedule=schedule).prior).trusted == torch.inf


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("kind", "map_"), [("turned", turning()), ("wide", 4 * torch.eye(8))])
def test_a_jacobian_that_is_no_covariance_at_high_noise_is_found_out_down_to_where_it_is_one(
    kind, map_, schedule
):
    prior = WrongWhereNoisy(schedule, map_)
    x0 = unguided(prior, noise(32))
    found = evidence(prior, x0, time_of(prior.schedule, 9.0), noise(32, "probes"))

    assert reach(prior).trusted == max(level for level in LEVELS if level < WRONG_ABOVE)
    assert (found.asymmetry > ASYMMETRY) == (kind == "turned")
    assert not found.trusted


def test_the_asymmetry_is_that_of_frobenius_norms_and_the_trace_that_of_the_posterior():
    prior = WrongWhereNoisy("vp", turning())
    t = time_of(prior.schedule, 9.0)
    alpha, sigma = prior.schedule.alpha(t), prior.schedule.sigma(t)
    exact = torch.linalg.inv(
        torch.linalg.inv(prior.covariance) + (alpha / sigma) ** 2 * torch.eye(8)
    )
    v = exact + turning()
    x0 = torch.randn(4000, 8, generator=torch.Generator().manual_seed(0))
    x0 = (x0.double() @ torch.linalg.cholesky(prior.covariance.double()).T).float()
    found = evidence(prior, x0, t, noise(4000))

    assert found.asymmetry == pytest.approx(((v - v.T).norm() / v.norm()).item(), rel=0.05)
    assert found.trace == pytest.approx(exact.trace().item(), rel=0.05)


def test_what_is_not_a_number_is_not_trusted():
    prior = WrongWhereNoisy("vp", torch.full((8, 8), torch.nan))

    assert reach(prior).trusted < WRONG_ABOVE


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("law", ["ring", "two-bumps", "banana", "network"])
def test_a_draw_is_open_down_to_where_the_mean_knows_a_quarter_of_the_variance(law, schedule):
    prior = LAWS[law](schedule).prior
    x0 = unguided(prior, noise(2000), steps=50, eta=1.0)
    whole = float(x0.double().var(0).sum())
    known = {
        level: 1 - unknown(prior, x0, time_of(prior.schedule, level), noise(2000, "z")) / whole
        for level in LEVELS
    }
    last = reach(prior).open

    assert known[last] < DECIDED + 0.1
    assert known[LEVELS[LEVELS.index(last) + 1]] > DECIDED - 0.1


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_is_left_unknown_of_a_gaussian_is_the_trace_of_its_posterior(schedule):
    prior = gaussian_problem(1, schedule=schedule).prior
    t = time_of(prior.schedule, 2.2)
    alpha, sigma = prior.schedule.alpha(t), prior.schedule.sigma(t)
    x0 = torch.randn(4000, 8, generator=torch.Generator().manual_seed(0)).double()
    x0 = (prior.mean + x0 @ torch.linalg.cholesky(prior.covariance.double()).T).float()
    wide = torch.linalg.inv(prior.covariance.double()) + (alpha / sigma) ** 2 * torch.eye(8)

    assert unknown(prior, x0, t, noise(4000)) == pytest.approx(
        torch.linalg.inv(wide).trace().item(), rel=0.05
    )


def test_the_measurement_is_made_once_per_prior_before_the_first_draw_and_not_where_told():
    problem = gaussian_problem(BLOCK)
    sampler, told = MomentMatched(steps=5), MomentMatched(steps=5, guided_below=3.0)
    with Meter(problem.prior, problem.extractor) as cost:
        sampler.prepare(problem.extractor, problem.prior)
        first = cost.prior_forward
        sampler.prepare(problem.extractor, problem.prior)
        assert first == cost.prior_forward > 0
        sampler.sample(problem, noise(BLOCK))
        assert cost.prior_forward == first + BLOCK * 5
        told.prepare(problem.extractor, problem.prior)
        assert cost.prior_forward == first + BLOCK * 5


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_guidance_begins_where_the_prior_can_be_trusted_and_nearly_keeps_the_law(schedule):
    problem = gaussian_problem(500, schedule=schedule)
    wrong = WrongWhereNoisy(schedule, turning())
    ratio = wrong.schedule.sigma(times := wrong.schedule.times(20, 2.0)[:-1])
    draws = MomentMatched(pace="whole").sample(
        Problem(problem.extractor, wrong, problem.queries, problem.targets), noise(500)
    )

    assert draws.path.shape[1] == (ratio <= 3.2 * wrong.schedule.alpha(times)).sum() < 20
    assert rms(problem.features(draws.states) - problem.targets).max() < 1e-3


def test_a_prior_whose_rows_differ_has_no_draws_to_be_measured_on_and_guides_everywhere():
    class Shifted(GaussianPrior):
        """Each row with a mean of its own."""

        def select(self, rows):
            return Shifted(self.mean, self.covariance)

    plain = gaussian_problem(3)
    rows = Shifted(plain.prior.mean, plain.prior.covariance)
    sampler = MomentMatched()
    with Meter(rows, plain.extractor) as cost:
        learned = sampler.prepare(plain.extractor, rows)
    draws = sampler.sample(Problem(plain.extractor, rows, plain.queries, plain.targets), noise(3))

    assert learned == Learned()
    assert cost.prior_forward == 0
    assert draws.path.shape[1] == 20


class Wave(Extractor):
    """A straight line with waves on it: many local minima on the way to the target."""

    network = torch.nn.Identity()
    feature_size = 1

    def features(self, x):
        line = self.network(x)[:, :1]
        return line + (2 * line).sin()


def waves(n):
    prior = GaussianPrior(torch.zeros(2), torch.eye(2))
    return Problem(Wave(), prior, torch.zeros(n, 2), torch.full((n, 1), 4.0))


def test_draws_that_are_stuck_come_again_until_they_are_not_and_the_others_stay_to_the_bit():
    problem = waves(100)
    once, again = (MomentMatched(restarts=k).sample(problem, noise(100)) for k in (0, 3))
    rows = stuck(once)
    others = torch.ones(100, dtype=torch.bool)
    others[rows] = False
    loss = [rms(problem.features(d.states) - problem.targets) for d in (once, again)]

    assert 0 < len(rows) < 100
    assert (loss[0][rows] > STUCK).all()
    assert torch.equal(once.states[others], again.states[others])
    assert (loss[1] <= loss[0]).all()
    assert len(stuck(again)) < len(rows) / 2
    torch.testing.assert_close(again.path[:, -1], loss[1], atol=1e-4, rtol=1e-3)
    assert (again.diagnostics["restarted"][rows] >= 1).all()
    assert not again.diagnostics["restarted"][others].any()


def test_a_stuck_draw_is_the_same_alone():
    problem = waves(20)
    together = MomentMatched().sample(problem, noise(20))
    for i in together.diagnostics["restarted"].nonzero().flatten()[:3].tolist():
        row = torch.tensor([i])
        alone = MomentMatched().sample(problem.select(row), noise(20).select(row))
        torch.testing.assert_close(alone.states[0], together.states[i], atol=1e-3, rtol=1e-3)


def test_a_draw_that_comes_again_worse_or_lost_is_not_taken():
    problem = waves(4)
    draws = MomentMatched().sample(problem, noise(4))
    worse = MomentMatched(guided_below=1e-9).sample(problem, noise(4, "other"))
    path = draws.path[:, -1:] + 1.0
    rows = torch.arange(4)
    kept = patched(draws, rows, type(draws)(worse.data, worse.states, worse.finite, path))

    assert torch.equal(kept.states, draws.states)
    assert torch.equal(kept.path, draws.path)


def test_priors_of_equal_weights_are_measured_each_for_itself():
    sampler, problem = MomentMatched(), gaussian_problem(1)
    exact, wrong = problem.prior, WrongWhereNoisy("vp", turning())
    exact.weights_sha256 = wrong.weights_sha256 = "0" * 64

    plans = [sampler._plan(problem.extractor, p) for p in (exact, wrong, exact)]
    assert plans[0] == plans[2] != plans[1]
    assert [plan.shares.reach for plan in plans[::2]] == [torch.inf] * 2
    assert plans[1].shares.reach < torch.inf
