"""How much of a correction helps is measured, and only that much of it is taken."""

from functools import cache

import pytest
import torch
from fiber_audit_color_mnist.extractors import Classifier, Colour, Shape
from fiber_audit_color_mnist.priors import LatentDiffusion
from fiber_audit_moment_matched.gauss_newton import Effort
from fiber_audit_moment_matched.moment_matched import MomentMatched
from fiber_audit_moment_matched.shares import LEVELS, WHOLE, Shares, measured, share
from fiber_audit_moment_matched.trust import reach

from fiber_audit import load_suite
from fiber_audit.sampling import Noise, derive_seed, rms
from fiber_audit.testing import LAWS, gaussian_problem

SCHEDULES = ["vp", "flow"]
EVERYWHERE = 1e12


@cache
def law_of(name):
    return LAWS[name]("vp")


def found(extractor, prior, up_to=torch.inf):
    return measured(extractor, prior, Effort(2, extractor.feature_size, 0.03), 0.01, up_to)


def drawn(law, sampler, n=400):
    noise = Noise([derive_seed("shares", i) for i in range(n)])
    return sampler.sample(law.problem(n), noise)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("d", "d_h"), [(1, 1), (8, 3), (8, 7), (64, 1)])
def test_all_of_an_exact_correction_is_taken(d, d_h, schedule):
    problem = gaussian_problem(1, d, d_h, schedule=schedule)

    assert set(found(problem.extractor, problem.prior).values) == {1.0}


@pytest.mark.parametrize("name", ["two-bumps", "four-bumps"])
def test_all_of_it_is_taken_where_phi_is_linear_and_the_prior_in_several_parts(name):
    law = law_of(name)

    assert set(found(law.extractor, law.prior).values) == {1.0}


@pytest.mark.parametrize("name", ["ring", "three-arcs"])
def test_little_of_it_is_taken_where_phi_bends_over_the_width_of_the_posterior(name):
    """And all of it where the posterior is narrow."""
    law = law_of(name)
    shares = found(law.extractor, law.prior)

    assert max(shares.values[:3]) < 0.5
    assert shares.at(WHOLE) == shares.values[-1] == 1.0


@pytest.mark.parametrize("name", ["ring", "three-arcs"])
def test_draws_are_nearer_to_a_law_of_several_parts_than_with_all_of_it(name):
    law = law_of(name)
    some, whole = (
        drawn(law, sampler) for sampler in (MomentMatched(), MomentMatched(guided_below=EVERYWHERE))
    )
    near, far = (law.distances(draws.data) for draws in (some, whole))

    assert near[0] < far[0] / 2
    assert near[1] < far[1] / 2
    problem = law.problem(400)
    assert rms(problem.features(some.states) - problem.targets).mean() < 1e-3


def test_nothing_is_measured_or_taken_beyond_the_level_where_v_is_a_covariance():
    law = law_of("ring")
    shares = found(law.extractor, law.prior, up_to=3.2)

    assert shares.levels == (*(level for level in LEVELS if level <= 3.2), WHOLE)
    assert shares.at(3.3) == 0.0


def test_the_last_step_is_taken_whole_however_few_there_are():
    """Three steps leave the last at a level where a share is less than one half."""
    law = law_of("three-arcs")
    draws = drawn(law, MomentMatched(steps=3, power=1.0, restarts=0), 64)
    problem = law.problem(64)

    assert rms(problem.features(draws.states) - problem.targets).median() < 1e-3


@pytest.mark.parametrize("holds", [0.0, 0.2, 0.4, 0.6, 1.0])
def test_the_share_is_the_slope_below_one_half_and_all_above(holds):
    """Errors are a share of the moves, and what no move can say."""
    g = torch.Generator().manual_seed(0)
    d, rest = torch.randn(2, 500, 8, generator=g)
    e = holds * d + 0.3 * rest
    taken = share(torch.stack([(d * e).sum(1), (d * d).sum(1)], 1))

    assert taken == pytest.approx(holds if holds < 0.5 else 1.0, abs=0.03)


def test_a_slope_that_chance_may_keep_from_1_is_1():
    wide = torch.tensor([[9.0, 2.0], [-7.5, 2.0]])

    assert share(wide) == 1.0
    assert share(wide.repeat(100, 1)) == pytest.approx(0.375)


def test_what_is_not_a_number_holds_nothing():
    assert share(torch.tensor([[1.0, 2.0], [torch.nan, torch.nan]])) == 0.0


def test_shares_lie_between_those_of_the_levels_around_and_vanish_where_they_are_small():
    shares = Shares(torch.inf, (8.0, 2.0), (0.0, 1.0))

    assert shares.at(torch.inf) == shares.at(8.0) == 0.0
    assert shares.at(4.0) == pytest.approx(0.5)
    assert shares.at(7.9) == 0.0
    assert shares.at(0.01) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("network", [Shape, Colour, Classifier])
def test_the_default_suite_tells_what_would_be_measured(network):
    told = load_suite("color-mnist").samplers["moment-matched"].options
    extractor, prior = network(), LatentDiffusion()
    effort = Effort(2, min(told["directions"], extractor.feature_size), 0.03)
    found = measured(extractor, prior, effort, 0.01, reach(prior).trusted)

    assert found.reach == told["guided_below"]
    assert set(found.values) == {1.0}
