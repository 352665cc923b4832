"""The pace of a trajectory is what its options are where they are not told."""

from types import SimpleNamespace

import pytest
import torch
from fiber_audit_moment_matched.moment_matched import MomentMatched
from fiber_audit_moment_matched.pace import PACES, Pace

from fiber_audit import UsageError
from fiber_audit.contracts import Problem
from fiber_audit.sampling import Noise, VPSchedule, derive_seed, rms
from fiber_audit.testing import gaussian_problem, wasserstein_to_gaussian


def noise(n):
    return Noise([derive_seed("pace", i) for i in range(n)])


def states(problem, **options):
    return MomentMatched(**options).sample(problem, noise(len(problem.queries))).states


def ours(pace):
    return {name: value for name, value in pace._asdict().items() if value is not None}


@pytest.mark.parametrize("name", sorted(PACES))
def test_a_pace_is_its_options_told_one_by_one_bit_for_bit(name):
    problem = gaussian_problem(2, 24, 17)  # more features than are all looked at
    start = {"guided_below": 3.0}  # or it would be measured
    told = {**ours(PACES[name]), **start}

    assert torch.equal(states(problem, pace=name, **start), states(problem, **told))


@pytest.mark.parametrize("name", Pace._fields)
def test_what_is_told_goes_before_what_the_pace_has(name):
    other = ours(PACES["gradual"])
    telling = MomentMatched(**{name: other[name]})
    walked = telling._pace()

    assert walked == PACES["whole"]._replace(**{name: other[name]})
    assert walked != PACES["whole"]


@pytest.mark.parametrize("schedule", ["vp", "flow"])
def test_small_steps_follow_the_law_and_a_late_start_costs_some_of_it(schedule):
    """Each row aims at features of a draw of the prior, so that together they are prior draws."""
    n = 500
    problem = gaussian_problem(n, 4, 2, 0, schedule)
    prior, extractor = problem.prior, problem.extractor
    law = prior.mean.double(), prior.covariance.double()
    z = torch.randn(n, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = (law[0] + z @ torch.linalg.cholesky(law[1]).T).float()
    aimed = Problem(extractor, prior, x, extractor.features(x))
    early, late = (states(aimed, pace="gradual", guided_below=below) for below in (1000.0, None))
    exact, walked, begun_late = (wasserstein_to_gaussian(s, *law) for s in (x, early, late))

    for found in (early, late):
        assert rms(extractor.features(found) - aimed.targets).max() < 1e-3
    width = float(law[1].trace()) ** 0.5
    assert walked < exact + 0.05 * width
    assert walked < begun_late < exact + 0.1 * width


def test_a_prior_of_fewer_steps_than_the_pace_is_told_before_the_first_draw():
    short = SimpleNamespace(schedule=VPSchedule(torch.linspace(1e-3, 0.2, 30)))

    with pytest.raises(UsageError, match="steps = 60: this prior has 30 training steps"):
        MomentMatched(pace="gradual").prepare(None, short)
