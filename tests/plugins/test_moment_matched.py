"""Moment-matched guidance is exact for a Gaussian prior and linear phi, and degrades well."""

from itertools import pairwise

import pytest
import torch
from fiber_audit_moment_matched.gauss_newton import (
    Effort,
    Linearisation,
    Posterior,
    Trust,
    corrected,
)
from fiber_audit_moment_matched.moment_matched import MomentMatched, noisiest_time
from fiber_audit_moment_matched.second_order import Course, natural
from fiber_audit_moment_matched.subspace import Direction, Subspace
from fiber_audit_moment_matched.trust import LEVELS
from fiber_audit_ndtm.ndtm import NDTM

from fiber_audit._draw.meter import Meter
from fiber_audit.contracts import Extractor, Problem
from fiber_audit.sampling import (
    BLOCK,
    FlowSchedule,
    Noise,
    derive_seed,
    noise_of,
    rms,
    step,
    unguided,
)
from fiber_audit.testing import (
    GaussianPrior,
    LinearExtractor,
    gaussian_problem,
    linear_betas,
    wasserstein_to_gaussian,
)

CASES = [(8, 3), (8, 1), (8, 7), (32, 12)]
SCHEDULES = ["vp", "flow"]
N = 1500


def noise(n, seed=0):
    return Noise([derive_seed(seed, i) for i in range(n)])


def aimed(problem, targets):
    return Problem(problem.extractor, problem.prior, problem.queries, targets)


def measured(method, problem):
    """W2 to the true conditional, largest fiber loss, cost per draw (a backward counts 2)."""
    truth = problem.prior.conditional(problem.extractor.matrix, problem.targets[0])
    with Meter(problem.prior, problem.extractor) as cost:
        draws = method.sample(problem, noise(N))
    loss = rms(problem.features(draws.states) - problem.targets)
    evaluations = (cost.prior_forward + 2 * cost.prior_backward) / N
    return wasserstein_to_gaussian(draws.states, *truth), loss.max(), evaluations


def floor(problem, repeats=8):
    """The mean W2 of as many exact samples."""
    mean, covariance = problem.prior.conditional(problem.extractor.matrix, problem.targets[0])
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt()
    total = 0.0
    for seed in range(repeats):
        g = torch.Generator().manual_seed(seed)
        exact = mean + torch.randn(N, len(mean), dtype=torch.float64, generator=g) @ root.T
        total += wasserstein_to_gaussian(exact, mean, covariance)
    return total / repeats


@pytest.mark.parametrize(
    ("schedule", "seed", "d", "d_h"),
    [
        pytest.param(schedule, seed, d, d_h, marks=marks)
        for schedule in SCHEDULES
        for seed in (0, 1, 2)
        for d, d_h in CASES
        # without chance, and of few draws, all cases are in the law itself, below
        for marks in [() if (seed, d, d_h) == (0, 8, 3) else pytest.mark.slow]
    ],
)
def test_draws_are_on_the_fiber_and_follow_the_true_conditional(schedule, seed, d, d_h):
    problem = gaussian_problem(N, d, d_h, seed, schedule)
    distance, loss, evaluations = measured(MomentMatched(), problem)

    assert loss < 1e-3
    assert distance <= max(0.03, 1.5 * floor(problem))
    assert evaluations <= 600


def law_itself(problem, n=300):
    """Without chance: the mean and a root of the covariance of draws, which are affine in noise."""
    draws = MomentMatched().sample(problem, noise(n)).states.double()
    known = torch.cat([noise(n).normal(problem.prior.state_shape), torch.ones(n, 1)], 1).double()
    *root, mean = torch.linalg.lstsq(known, draws).solution
    return mean, torch.stack(root)


@pytest.mark.parametrize(
    ("schedule", "d", "d_h"),
    [
        *((schedule, *case) for schedule in SCHEDULES for case in CASES[:3]),
        ("flow", 32, 12),
        ("vp", 16, 15),
        pytest.param("vp", 32, 12, marks=pytest.mark.slow),
        pytest.param("flow", 16, 15, marks=pytest.mark.slow),
    ],
)
def test_the_law_itself_is_off_by_less_than_a_hundredth_of_its_width(schedule, d, d_h):
    problem = gaussian_problem(300, d, d_h, 1, schedule)
    truth = problem.prior.conditional(problem.extractor.matrix, problem.targets[0])
    mean, root = law_itself(problem)
    away = root * (d - 0.5) ** 0.5  # 2 d points of that mean and covariance

    off = wasserstein_to_gaussian(torch.cat([mean + away, mean - away]), *truth)
    assert off < 0.01 * truth[1].trace().sqrt()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_mean_is_right_although_the_schedule_ends_before_pure_noise(seed):
    """A state of the noisiest time has 0.6 % of x_0 in it; without it the mean is off by more."""
    problem = gaussian_problem(100, seed=seed)
    truth, covariance = problem.prior.conditional(problem.extractor.matrix, problem.targets[0])

    assert (law_itself(problem, 100)[0] - truth).norm() < 0.001 * covariance.trace().sqrt()


@pytest.mark.parametrize(
    ("d", "d_h"), [CASES[0], *(pytest.param(*case, marks=pytest.mark.slow) for case in CASES[1:])]
)
def test_half_of_ndtms_distance_at_a_quarter_of_its_cost(d, d_h):
    problem = gaussian_problem(N, d, d_h)
    distance, loss, evaluations = measured(MomentMatched(), problem)
    other = measured(NDTM(guidance=10.0, eta=1.0), problem)

    assert distance < other[0] / 2
    assert loss < other[1]
    assert evaluations <= other[2] / 4


def test_a_single_feature_costs_little_more_than_one_backward_per_step():
    problem = gaussian_problem(BLOCK, d_h=1)
    sampler = MomentMatched(steps=20)
    sampler.prepare(problem.extractor, problem.prior)
    with Meter(problem.prior, problem.extractor) as cost:
        sampler.sample(problem, noise(BLOCK))

    assert cost.prior_forward / BLOCK == 20
    assert cost.prior_backward / BLOCK <= 30


def test_there_are_as_many_directions_as_features_where_these_are_few():
    problem, told = gaussian_problem(16, 16, 15), {"guided_below": 100.0}
    all_of_them, some = (
        MomentMatched(directions=m, **told).sample(problem, noise(16)) for m in (15, 8)
    )
    drawn = MomentMatched(**told).sample(problem, noise(16))

    assert torch.equal(drawn.states, all_of_them.states)
    assert not torch.equal(drawn.states, some.states)


def test_features_that_say_the_same_in_2048_dimensions_give_the_same_draws_at_the_same_cost():
    narrow = gaussian_problem(64)
    g = torch.Generator().manual_seed(4)
    isometry, _ = torch.linalg.qr(torch.randn(2048, 3, generator=g))
    extractor = LinearExtractor(isometry @ narrow.extractor.matrix)
    wide = Problem(extractor, narrow.prior, narrow.queries, narrow.targets @ isometry.T)
    found = []
    for problem in (narrow, wide):
        with Meter(problem.prior, problem.extractor) as cost:
            found.append((MomentMatched().sample(problem, noise(64)).states, cost.prior_backward))

    torch.testing.assert_close(found[0][0], found[1][0], atol=2e-3, rtol=0)
    assert found[1][1] == pytest.approx(found[0][1], rel=0.1)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_posterior_covariance_is_tweedies(schedule):
    problem = gaussian_problem(2, schedule=schedule)
    s = problem.prior.covariance.float()
    t = torch.tensor(0.4)
    a, sigma = problem.prior.schedule.alpha(t), problem.prior.schedule.sigma(t)
    x = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    truth = torch.linalg.inv(torch.linalg.inv(s) + (a / sigma) ** 2 * torch.eye(8))
    v = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))

    found = Posterior(problem.prior, x, t).covariance(v)
    torch.testing.assert_close(found, v @ truth, atol=1e-4, rtol=1e-3)


def test_a_clipped_coordinate_does_not_vary():
    prior = GaussianPrior(torch.zeros(3), torch.eye(3))
    prior.clip = (-0.5, 0.5)
    posterior = Posterior(prior, torch.tensor([[9.0, 0.0, -9.0]]), torch.tensor(0.3))
    moved = posterior.covariance(torch.ones(1, 3))

    assert posterior.mean.tolist() == [[0.5, 0.0, -0.5]]
    assert (moved != 0).tolist() == [[False, True, False]]


@pytest.mark.parametrize("schedule", [linear_betas(), FlowSchedule()])
def test_the_covariance_is_not_asked_for_where_the_state_is_noise_only(schedule):
    t = noisiest_time(schedule)

    assert schedule.sigma(t) <= LEVELS[0] * schedule.alpha(t)
    assert schedule.sigma(t + 0.02) > LEVELS[0] * schedule.alpha(t + 0.02)


def test_a_move_is_v_j_w_and_its_image_that_of_the_jacobian():
    problem = gaussian_problem(3)
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    posterior = Posterior(problem.prior, x, torch.tensor(0.4))
    w = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    found, ok = Linearisation(problem, posterior, posterior.mean).along(w)

    assert ok.all()
    torch.testing.assert_close(found.g, w @ problem.extractor.matrix)
    torch.testing.assert_close(found.q, posterior.covariance(found.g))
    torch.testing.assert_close(found.u, problem.features(found.q), atol=1e-4, rtol=1e-3)


def test_a_subspace_of_all_directions_holds_the_damped_solution():
    """V J' (J V J' + lambda I)^-1 r, with lambda in the subspace's own unit."""
    g = torch.Generator().manual_seed(0)
    v = torch.randn(6, 6, generator=g)
    v, j, r = v @ v.T, torch.randn(3, 6, generator=g), torch.randn(1, 3, generator=g)
    space = Subspace(r, 3)
    for w in torch.eye(3)[:, None]:
        space.add(Direction(w @ j, w @ j @ v, w @ j @ v @ j.T))
    for damping in (1e-3, 1.0):
        unit = (j @ v @ j.T).square().sum() / (j @ v @ j.T).trace()
        c = space.solve(torch.tensor([damping]))
        exact = torch.linalg.solve(j @ v @ j.T + damping * unit * torch.eye(3), r[0]) @ j @ v

        torch.testing.assert_close(space.move(c)[0], exact, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(space.image(c)[0], exact @ j.T, atol=1e-3, rtol=1e-3)
        length = (exact @ torch.linalg.solve(v, exact)).sqrt()
        torch.testing.assert_close(space.length(c)[0], length, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("more", [1, 4, 8])
def test_a_row_that_is_done_is_the_same_to_the_bit_while_others_go_on(more):
    """Whatever their number, and wherever in the batch it is."""
    g = torch.Generator().manual_seed(0)
    r, damping = torch.randn(1, 54, generator=g), torch.full((1,), 0.01)
    own = [Direction(*(torch.randn(1, 54, generator=g) for _ in range(3))) for _ in range(3)]
    alone, among = Subspace(r, 12), Subspace(r.repeat(5, 1), 12)
    for direction in own:
        alone.add(direction)
        among.add(Direction(*(part.repeat(5, 1) for part in direction)))
    for _ in range(more):
        busy = Direction(*(torch.randn(5, 54, generator=g) for _ in range(3)))
        among.add(busy.where(torch.tensor([True, False, True, False, True])))
    c, together = alone.solve(damping), among.solve(damping.repeat(5))

    for number in (Subspace.move, Subspace.pull, Subspace.image, Subspace.length):
        for row in (1, 3):
            assert torch.equal(number(among, together)[row], number(alone, c)[0])


def test_a_row_without_a_direction_stays_where_it_is():
    space = Subspace(torch.ones(2, 1), 1)
    space.add(Direction(*(torch.tensor([[1.0], [0.0]]) for _ in range(3))))
    c = space.solve(torch.full((2,), 1e-6))

    torch.testing.assert_close(space.move(c), torch.tensor([[1.0], [0.0]]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_extrapolated_steps_are_of_second_order(schedule):
    """At fifty steps of an ODE with a known end, less than half of the first order's error."""
    problem = gaussian_problem(200, schedule=schedule)
    prior = problem.prior

    def end(steps, order):
        times = prior.schedule.times(steps, 2.0)
        x, course = noise(200).normal((8,)), Course()
        for t, s in pairwise(times):
            middle = prior.predict(x, t.float().expand(200)).x0
            course.add(natural(prior.schedule, t), middle)
            if order == 2 and s > 0:
                middle = course.ahead(natural(prior.schedule, s) - natural(prior.schedule, t))
            x = step(prior.schedule, middle, noise_of(prior.schedule, x, middle, t), t, s)
        return x

    truth = end(900, 2)
    first, second = ((end(50, order) - truth).norm() for order in (1, 2))

    assert second < 0.5 * first


def width(schedule, variance, points, time):
    """The standard deviation of draws of N(0, variance) after 20 steps, relative; no noise in it.

    The steps are linear in the state, so one state at one standard deviation says it.
    """
    times, course = schedule.times(20, 2.0), Course()
    guard = noisiest_time(schedule)
    x = schedule.sigma(times[0])[None]
    for t, s in pairwise(times):
        known = torch.minimum(t, guard)
        alpha, sigma = schedule.alpha(known), schedule.sigma(known)
        middle = variance * alpha / (alpha**2 * variance + sigma**2) * x
        course.add(time(schedule, known), middle)
        course.points = course.points[-points:]
        if s > 0:
            middle = course.ahead(time(schedule, s) - course.points[-1][0])
        x = step(schedule, middle, noise_of(schedule, x, middle, t), t, s)
    return x.item() / variance**0.5


@pytest.mark.parametrize(
    ("schedule", "two_points"), [(linear_betas(), 0.03), (FlowSchedule(), 0.05)]
)
def test_three_points_in_asinh_keep_the_width_of_a_gaussian_that_two_in_a_logarithm_lose(
    schedule, two_points
):
    """The slope of DPM-Solver++ (2M) is that of two points in log(alpha / sigma)."""

    def log_snr(schedule, t):
        return (schedule.alpha(t).clamp(min=1e-6) / schedule.sigma(t)).log()

    variances = (1.0, 0.3, 0.1, 0.03, 0.01)
    found = max(abs(width(schedule, v, 3, natural) - 1) for v in variances)
    known = max(abs(width(schedule, v, 2, log_snr) - 1) for v in variances)

    assert found < 0.008
    assert known > two_points


class Network(Extractor):
    def __init__(self, *layers, feature_size):
        self.network = torch.nn.Sequential(*layers).requires_grad_(False)
        self.feature_size = feature_size

    def features(self, x):
        return self.network(x)


def test_a_curved_phi_with_the_same_fiber_gives_the_same_conditional():
    """phi(x) = tanh(A x / 2): a linear fiber seen through a curved map, so the truth is known."""
    linear = gaussian_problem(N)
    layer = torch.nn.Linear(8, 3, bias=False)
    layer.weight.data.copy_(0.5 * linear.extractor.matrix)
    curved = Network(layer, torch.nn.Tanh(), feature_size=3)
    problem = Problem(curved, linear.prior, linear.queries, curved.features(linear.queries))
    draws = MomentMatched().sample(problem, noise(N))
    truth = linear.prior.conditional(linear.extractor.matrix, linear.targets[0])

    assert rms(curved.features(draws.data) - problem.targets).mean() < 1e-3
    assert wasserstein_to_gaussian(draws.states, *truth) < 2 * floor(linear)


def energy_distance(a, b):
    a, b = a[:1000].double(), b[:1000].double()
    within = torch.cdist(a, a).mean() + torch.cdist(b, b).mean()
    return (2 * torch.cdist(a, b).mean() - within).item()


def test_a_strongly_curved_phi_is_followed_as_rejection_sampling_finds_it():
    """A random network on a Gaussian: the fiber is a curved surface, known by brute force."""
    g = torch.Generator().manual_seed(2)
    root = torch.randn(4, 4, generator=g) / 2
    covariance = root @ root.T + 0.1 * torch.eye(4)
    prior = GaussianPrior(torch.zeros(4), covariance)
    layers = [torch.nn.Linear(4, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1)]
    for layer in (layers[0], layers[2]):
        for parameter in layer.parameters():
            scale = 1.5 / layer.in_features**0.5
            parameter.data = torch.randn(parameter.shape, generator=g) * scale
    phi = Network(*layers, feature_size=1)
    crowd = torch.randn(400_000, 4, generator=g) @ torch.linalg.cholesky(covariance).T
    values = phi.features(crowd)[:, 0]
    target = values[0]
    truth = crowd[(values - target).abs() < 0.02]
    problem = Problem(phi, prior, crowd[:1].expand(1000, -1), target.expand(1000, 1))
    draws = MomentMatched().sample(problem, noise(1000))
    greedy = NDTM(guidance=5.0).sample(problem, noise(1000))

    assert rms(phi.features(draws.data) - problem.targets).mean() < 1e-3
    assert energy_distance(draws.data, truth) < energy_distance(crowd, truth) / 3
    assert energy_distance(draws.data, truth) < energy_distance(greedy.data, truth) / 1.5


def test_the_loss_of_a_row_never_rises_and_a_wild_phi_refuses_moves():
    """phi(x) = sin(30 A x): every linear model is wrong."""

    class Sine(Extractor):
        network = torch.nn.Identity()
        feature_size = 3

        def features(self, x):
            return (30 * self.network(linear.features(x))).sin()

    linear = gaussian_problem(50)
    targets = torch.full((50, 3), 0.3)
    problem = Problem(Sine(), linear.prior, linear.queries, targets)
    x = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    posterior = Posterior(linear.prior, x, torch.tensor(0.2))
    before = rms(problem.features(posterior.mean) - targets)
    fresh = Trust.fresh(x, 0.01)
    point, loss, trust = corrected(problem, posterior, fresh, Effort(4, 3, 0.03))

    assert (fresh.tried == 0).all()
    assert (loss <= before).all()
    torch.testing.assert_close(loss, rms(problem.features(point) - targets))
    assert (trust.refused > 0).any()
    assert loss.mean() < before.mean()


def test_stretch_tells_a_plausible_target_from_an_impossible_one():
    problem = gaussian_problem(32)
    spread = (problem.extractor.matrix @ problem.prior.covariance.float()
              @ problem.extractor.matrix.T).diagonal().sqrt()  # fmt: skip
    typical = MomentMatched().sample(problem, noise(32)).diagnostics["stretch"]
    far = MomentMatched().sample(aimed(problem, problem.targets + 10 * spread), noise(32))

    assert typical.mean() < 2
    assert far.diagnostics["stretch"].mean() > 4


def test_stretch_does_not_shrink_where_many_features_say_the_same():
    narrow = gaussian_problem(16)
    isometry, _ = torch.linalg.qr(torch.randn(512, 3, generator=torch.Generator().manual_seed(4)))
    extractor = LinearExtractor(isometry @ narrow.extractor.matrix)
    wide = Problem(extractor, narrow.prior, narrow.queries, narrow.targets @ isometry.T)
    few, many = (
        MomentMatched().sample(p, noise(16)).diagnostics["stretch"] for p in (narrow, wide)
    )

    torch.testing.assert_close(many * (8 / 3) ** 0.5, few, rtol=0.1, atol=0.02)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("power", [1.0, 2.0])
def test_strength_0_is_the_prior_bit_for_bit(schedule, power):
    problem = gaussian_problem(4, schedule=schedule)
    for eta in (0.0, 1.0):
        none = MomentMatched(strength=0.0, steps=10, order=1, power=power, eta=eta)
        draws = none.sample(problem, noise(4))

        assert torch.equal(draws.states, unguided(problem.prior, noise(4), 10, eta, power))


def test_the_fiber_loss_falls_with_the_strength():
    problem = gaussian_problem(64)
    losses = [
        rms(
            problem.features(MomentMatched(strength=s).sample(problem, noise(64)).data)
            - problem.targets
        )
        for s in (0.0, 0.5, 0.9, 1.0)
    ]
    means = [loss.mean() for loss in losses]

    assert means == sorted(means, reverse=True)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_guided_below_leaves_the_noisy_steps_to_the_prior(schedule):
    problem = gaussian_problem(4, schedule=schedule)
    ratio = problem.prior.schedule.sigma(times := problem.prior.schedule.times(20, 2.0)[:-1])
    ratio = ratio / problem.prior.schedule.alpha(times)
    late = MomentMatched(guided_below=1.0).sample(problem, noise(4))
    never = MomentMatched(guided_below=1e-9).sample(problem, noise(4))

    assert late.path.shape[1] == (ratio < 1).sum() < 20
    assert rms(problem.features(late.states) - problem.targets).max() < 1e-3
    assert torch.equal(never.states, MomentMatched(strength=0.0).sample(problem, noise(4)).states)


def test_a_target_that_is_not_a_number_is_marked():
    problem = gaussian_problem(3)
    targets = problem.targets.clone()
    targets[1] = float("nan")
    draws = MomentMatched().sample(aimed(problem, targets), noise(3))
    whole = MomentMatched().sample(problem, noise(3))

    assert draws.finite.tolist() == [True, False, True]
    torch.testing.assert_close(draws.states[[0, 2]], whole.states[[0, 2]])
