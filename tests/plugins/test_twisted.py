"""Twisted particles give each part of a fiber its weight."""

import pytest
import torch
from fiber_audit_moment_matched.calibration import calibrated, positive, principal
from fiber_audit_moment_matched.particles import chosen, effective, resampled, shares
from fiber_audit_moment_matched.sight import View, looked
from fiber_audit_moment_matched.twist import Kernel, foresight, kernel
from fiber_audit_moment_matched.twisted import Twisted

from fiber_audit._draw.meter import Meter
from fiber_audit.sampling import Noise, derive_seed, rms
from fiber_audit.testing import LAWS, GaussianPrior, LinearExtractor, gaussian_problem

NAMED = ["ring", "product", "two-bumps", "four-bumps"]
SCHEDULES = ["vp", "flow"]


def noise(n, seed=0):
    return Noise([derive_seed("held out", seed, i) for i in range(n)])


def judged(law, sampler, n, seed=0):
    """Sliced W1 and total variation of n draws, the largest fiber loss, evaluations per draw."""
    problem = law.problem(n)
    sampler.prepare(problem.extractor, problem.prior)
    with Meter(problem.prior, problem.extractor) as cost:
        drawn = sampler.sample(problem, noise(n, seed))
    loss = rms(problem.features(drawn.states) - problem.targets).max()
    return *law.distances(drawn.data), loss, (cost.prior_forward + 2 * cost.prior_backward) / n


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", NAMED)
def test_every_part_of_a_fiber_gets_its_weight(name, schedule):
    """W1 as a mean over three seeds: one seed's is mostly the luck of its weights."""
    law, n = LAWS[name](schedule), 2000
    found = [judged(law, Twisted(), n, seed) for seed in (1, 2, 3)]

    assert sum(w1 for w1, *_ in found) / 3 <= 2.5 * law.floor(n)[0]
    for _, tv, loss, cost in found:
        assert tv <= 0.03
        assert loss < 1e-3
        assert cost <= 3200 or law.extractor.feature_size > 1


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", LAWS)
def test_four_particles_are_nearly_enough(name, schedule):
    _, tv, loss, _ = judged(LAWS[name](schedule), Twisted(particles=4), 1000)

    assert tv <= 0.1
    assert loss < 1e-3


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_two_arcs_of_a_ring_get_their_weights_for_few_evaluations(schedule):
    law = LAWS["ring"](schedule)
    _, tv, loss, cost = judged(law, Twisted(particles=4, steps=25), 512)

    assert tv <= 0.1
    assert loss < 1e-3
    assert cost <= 300


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_where_the_foresight_is_true_nothing_is_left_to_weigh(schedule):
    """An isotropic Gaussian, linear features: V = v_t I and D_t = 0, so all weights are equal."""
    prior = GaussianPrior(torch.ones(6), 2 * torch.eye(6), schedule)
    extractor = LinearExtractor(torch.randn(3, 6, generator=torch.Generator().manual_seed(0)))
    problem = gaussian_problem(32, 6, 3)
    problem = type(problem)(extractor, prior, problem.queries, extractor.features(problem.queries))
    drawn = Twisted(particles=8, calibration=2048, steps=8).sample(problem, noise(32))

    assert drawn.diagnostics["ess"].mean() > 0.9
    assert drawn.diagnostics["resampled"].max() == 0


def test_a_weight_is_the_new_twist_times_the_priors_step_over_the_proposal():
    """Eq. (5) is Bayes' rule: N(y; 0, c^2) / (q(y) g_t) = 1 / N(r; H y, E)."""
    ahead, step = foresaw()
    y = torch.randn(1, 5, generator=torch.Generator().manual_seed(5))
    c2, h = step.variance, ahead.gain[0]
    total = ahead.total[0] @ ahead.total[0].T
    gain = c2 * h.T @ torch.linalg.inv(total)
    mean, covariance = gain @ ahead.residual[0], c2 * torch.eye(5) - gain @ h * c2
    proposal = torch.distributions.MultivariateNormal(mean, covariance).log_prob(y[0])
    prior = torch.distributions.Normal(0, c2**0.5).log_prob(y[0]).sum()
    m = len(ahead.residual[0])  # densities of features leave their 2 pi out
    twist = ahead.twist() - m / 2 * torch.log(torch.tensor(2 * torch.pi))
    foreseen = ahead.foreseen(y) - m / 2 * torch.log(torch.tensor(2 * torch.pi))

    torch.testing.assert_close(prior - proposal - twist, -foreseen, atol=1e-3, rtol=1e-4)


def test_proposals_have_the_mean_and_covariance_of_the_step_given_the_target():
    ahead, step = foresaw(20_000)
    g = torch.Generator().manual_seed(6)
    white = step.variance**0.5 * torch.randn(20_000, 5, generator=g)
    y = ahead.propose(white, torch.randn(20_000, 2, generator=g))
    c2, h, total = step.variance, ahead.gain[0], ahead.total[0] @ ahead.total[0].T
    gain = c2 * h.T @ torch.linalg.inv(total)

    torch.testing.assert_close(y.mean(0), gain @ ahead.residual[0], atol=0.03, rtol=0)
    torch.testing.assert_close(y.T.cov(), c2 * (torch.eye(5) - gain @ h), atol=0.03, rtol=0)


def foresaw(n=1):
    """A foresight of 2 features in 5 dimensions, the same for n particles, and its step."""
    g = torch.Generator().manual_seed(4)
    root, jv = torch.randn(2, 2, generator=g), torch.randn(2, 5, generator=g)
    step = Kernel(0.9, 0.3, 0.2, 0.5, 0.6, torch.eye(2))
    sight = type("Sight", (), {})()
    sight.residual, sight.moves, sight.spread = torch.ones(1, 2), jv[None], (root @ root.T)[None]
    for name, value in vars(sight).items():
        setattr(sight, name, value.expand(n, *value.shape[1:]))
    return foresight(sight, step, 0.1, torch.zeros(n)), step


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_calibration_finds_the_posterior_variance_and_no_curvature_in_linear_features(schedule):
    problem = gaussian_problem(4, schedule=schedule)
    prior = problem.prior
    times = prior.schedule.times(4, 1.5)
    known = calibrated(problem.extractor, prior, times[:-1], 16, 2000)
    for t, level in zip(times[:-1], known.levels, strict=True):
        snr = (prior.schedule.alpha(t) / prior.schedule.sigma(t)) ** 2
        exact = torch.linalg.inv(torch.linalg.inv(prior.covariance) + snr * torch.eye(8))
        assert level.variance == pytest.approx(float(exact.trace()) / 8, rel=0.1)
        assert level.missed.diagonal().max() < 0.1


def test_curvature_is_seen_where_the_linear_model_sees_nothing():
    """Features x1 x2 have no gradient at 0, but they vary around it."""
    law = LAWS["product"]()
    problem = law.problem(2)
    t = torch.tensor(1.0, dtype=torch.float64)
    known = calibrated(law.extractor, law.prior, t[None], 4, 512)
    view = View(problem, known.directions)
    bent = looked(view, torch.zeros(2, 2), t, known.levels[0].probes)
    flat = looked(view, torch.zeros(2, 2), t, torch.zeros(2, 2))

    assert (bent.spread - flat.spread > 0.3)[:, 0, 0].all()


def test_a_step_without_calibrated_variance_is_ddpms():
    problem = gaussian_problem(1)
    schedule = problem.prior.schedule
    t, s = torch.tensor(0.5), torch.tensor(0.4)
    found = kernel(schedule, t, s, calibrated(*pair(problem), t[None], 4, 8).levels[0])
    u = (schedule.sigma(s) * schedule.alpha(t) / (schedule.alpha(s) * schedule.sigma(t))) ** 2

    assert found.fresh == pytest.approx(float(schedule.sigma(s) ** 2 * (1 - u)), rel=1e-4)
    assert found.shift == pytest.approx(float(schedule.alpha(s) * (1 - u)), rel=1e-4)


def pair(problem):
    return problem.extractor, problem.prior


def test_resampling_keeps_the_first_where_it_is_held_and_forgets_the_weights():
    log_w = torch.tensor([[-50.0, 0.0, -50.0], [0.0, 0.0, 0.0]])
    uniform = torch.full((2, 3), 0.5)
    ancestors, after, few = resampled(log_w, uniform, 0.5, keep_first=True)

    assert ancestors.tolist() == [[0, 1, 1], [0, 1, 2]]
    assert few.tolist() == [True, False]
    torch.testing.assert_close(after[0], torch.full((3,), -torch.tensor(3.0).log().item()))


def test_particles_are_drawn_by_their_weights():
    weights = torch.tensor([[0.1, 0.0, 0.9]]).expand(20_000, 3)
    uniform = torch.rand(20_000, 1, generator=torch.Generator().manual_seed(0))
    shown = torch.bincount(chosen(weights, uniform)[:, 0], minlength=3) / 20_000

    torch.testing.assert_close(shown, weights[0], atol=0.01, rtol=0)
    assert effective(weights[:1].log()).item() == pytest.approx(1 / 0.82 / 3)
    assert shares(torch.full((1, 2), -torch.inf)).tolist() == [[0.5, 0.5]]


def test_only_the_principal_directions_are_looked_at_where_there_are_too_many():
    g = torch.Generator().manual_seed(0)
    features = torch.randn(500, 6, generator=g) * torch.tensor([9.0, 5, 1e-5, 1e-5, 1e-5, 1e-5])

    assert principal(features, 16).shape == (6, 2)
    assert principal(features, 1)[:, 0].abs().argmax() == 0
    assert positive(-torch.eye(2)).abs().max() == 0


def test_more_features_than_directions_still_end_on_the_fiber():
    problem = gaussian_problem(8, 8, 6)
    drawn = Twisted(directions=2, steps=12).sample(problem, noise(8))

    assert rms(problem.features(drawn.states) - problem.targets).max() < 1e-3


def test_a_draw_whose_weights_collapse_says_so():
    problem = gaussian_problem(8)
    far = type(problem)(*pair(problem), problem.queries, problem.targets + 300)
    with pytest.warns(UserWarning, match="one particle has all the weight"):
        drawn = Twisted(particles=8, steps=4, calibration=64).sample(far, noise(8))

    assert drawn.diagnostics["collapsed"].mean() > 0.5


def test_a_pair_is_calibrated_once():
    problem, calls = gaussian_problem(2), []
    problem.extractor.network.register_forward_hook(lambda *_: calls.append(1))
    sampler = Twisted(steps=4, polish=0, calibration=32)
    sampler.prepare(*pair(problem))
    once = len(calls)
    sampler.prepare(*pair(problem))

    assert len(calls) == once > 0


def test_pairs_of_equal_weights_are_calibrated_each_for_itself():
    sampler = Twisted(steps=4, polish=0, calibration=32)
    one, other = gaussian_problem(2, seed=0), gaussian_problem(2, seed=1)
    for part in (*pair(one), *pair(other)):
        part.weights_sha256 = "0" * 64

    first, second = (sampler._calibration(*pair(problem)) for problem in (one, other))
    assert first is not second
    assert sampler._calibration(*pair(one)) is first
