"""The pace of a trajectory is measured, or told, or its options are."""

from types import SimpleNamespace

import pytest
import torch
from fiber_audit_moment_matched.moment_matched import MomentMatched
from fiber_audit_moment_matched.pace import PACES, Pace

from fiber_audit import UsageError
from fiber_audit.contracts import Prediction, Problem
from fiber_audit.sampling import Noise, VPSchedule, derive_seed, over, rms
from fiber_audit.testing import GaussianPrior, gaussian_problem, wasserstein_to_gaussian

TOLD = [name for name in Pace._fields if name != "late"]


def noise(n):
    return Noise([derive_seed("pace", i) for i in range(n)])


def states(problem, **options):
    return MomentMatched(**options).sample(problem, noise(len(problem.queries))).states


def ours(pace):
    return {name: getattr(pace, name) for name in TOLD}


def around(problem, n):
    """Each row aims at features of a draw of the prior, so that together they are prior draws."""
    prior, extractor = problem.prior, problem.extractor
    d = len(prior.mean)
    z = torch.randn(n, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = (prior.mean.double() + z @ torch.linalg.cholesky(prior.covariance.double()).T).float()
    return Problem(extractor, prior, x, extractor.features(x))


class Turned(GaussianPrior):
    """Its Jacobian is no covariance above sigma / alpha = 4, where its mean is turned."""

    def predict(self, x_t, t):
        found = super().predict(x_t, t)
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        d = x_t.shape[1]
        turn = torch.ones(d, d).triu(1) - torch.ones(d, d).tril(-1)
        x0 = found.x0 + over((alpha / sigma**2) * (sigma > 4.0 * alpha), x_t) * (x_t @ turn)
        return Prediction(x0, (x_t - over(alpha, x_t) * x0) / over(sigma, x_t))


@pytest.mark.parametrize("schedule", ["vp", "flow"])
def test_the_pace_is_whole_where_the_jacobian_is_a_covariance_at_every_level_else_gradual(schedule):
    exact = gaussian_problem(20, 8, 3, 0, schedule)
    turned = Turned(exact.prior.mean, exact.prior.covariance, schedule)
    for prior, name in ((exact.prior, "whole"), (turned, "gradual")):
        problem = Problem(exact.extractor, prior, exact.queries, exact.targets)
        assert torch.equal(states(problem), states(problem, pace=name))
        assert not torch.equal(states(problem), states(problem, pace=({*PACES} - {name}).pop()))


def test_where_the_start_is_told_nothing_is_measured_and_the_pace_is_whole():
    exact = gaussian_problem(20)
    turned = Turned(exact.prior.mean, exact.prior.covariance)
    problem = Problem(exact.extractor, turned, exact.queries, exact.targets)

    assert torch.equal(
        states(problem, guided_below=3.0), states(problem, guided_below=3.0, pace="whole")
    )


@pytest.mark.parametrize("name", sorted(PACES))
def test_a_pace_is_its_options_told_one_by_one_bit_for_bit(name):
    problem = gaussian_problem(2, 24, 17)  # more features than are all looked at
    start = {"guided_below": 3.0}  # or it would be measured
    told = {**ours(PACES[name]), **start}

    assert torch.equal(states(problem, pace=name, **start), states(problem, **told))


@pytest.mark.parametrize("name", TOLD)
def test_what_is_told_goes_before_what_the_pace_has(name):
    other = getattr(PACES["gradual"], name)
    telling = MomentMatched(**{name: other})
    walked = telling._told("whole")

    assert walked == PACES["whole"]._replace(**{name: other})
    assert walked != PACES["whole"]


@pytest.mark.parametrize("schedule", ["vp", "flow"])
def test_small_steps_follow_the_law_and_a_late_start_costs_little_of_it(schedule):
    aimed = around(gaussian_problem(1, 8, 3, 0, schedule), 1500)
    law = aimed.prior.mean.double(), aimed.prior.covariance.double()
    early, late, later = (
        states(aimed, pace="gradual", guided_below=below) for below in (1000.0, None, 1.0)
    )
    exact, walked, open_, decided = (
        wasserstein_to_gaussian(s, *law) for s in (aimed.queries, early, late, later)
    )

    for found in (early, late, later):
        assert rms(aimed.extractor.features(found) - aimed.targets).max() < 1e-3
    width = float(law[1].trace()) ** 0.5
    assert walked < exact + 0.02 * width
    assert walked < open_ < exact + 0.04 * width
    assert decided > exact + 0.08 * width


def test_a_prior_of_fewer_steps_than_the_pace_is_told_before_the_first_draw():
    short = SimpleNamespace(schedule=VPSchedule(torch.linspace(1e-3, 0.2, 30)))
    short.select = lambda rows: None

    with pytest.raises(UsageError, match="steps = 60: this prior has 30 training steps"):
        MomentMatched(pace="gradual").prepare(None, short)
