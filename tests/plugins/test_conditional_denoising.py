from types import SimpleNamespace

import pytest
import torch
from denoisers import BOTH, SHAPES, built, normal, numbers
from fiber_audit_conditional.cond_diffusion import ConditionalDiffusion
from fiber_audit_conditional.cond_flow import ConditionalFlow
from fiber_audit_conditional.conditioned import ConditionalPrior, Conditioned
from fiber_audit_conditional.nf import NormalisingFlow
from fiber_audit_conditional.rcdm import RCDM
from fiber_audit_conditional.standard import Standard
from fiber_audit_moment_matched.moment_matched import MomentMatched
from torch import nn

from fiber_audit import PluginError, UsageError
from fiber_audit.contracts import Problem
from fiber_audit.sampling import Noise, noise_of, over, rms, unguided
from fiber_audit.testing import gaussian_problem, wasserstein_to_gaussian

SMALL = {"path": "unused", "width": 16, "blocks": 2}


class Known(nn.Module):
    """What the network of a denoiser should say where z given h is N(h, spread^2)."""

    def __init__(self, denoiser, spread):
        super().__init__()
        self.schedule, self.goal, self.spread = denoiser.schedule, denoiser.goal, spread

    def forward(self, z_t, t, h):
        a, s = over(self.schedule.alpha(t), z_t), over(self.schedule.sigma(t), z_t)
        x0 = h + a * self.spread**2 / ((a * self.spread) ** 2 + s**2) * (z_t - a * h)
        return self.goal(x0, noise_of(self.schedule, z_t, x0, t), t)


def knowing(kind, spread=0.5, **options):
    denoiser = kind(**SMALL, **options).build((2,), 2)
    denoiser.network = Known(denoiser, spread)
    return denoiser


@BOTH
def test_what_is_read_from_a_right_answer_is_the_state_and_its_noise(kind):
    denoiser, z, eps = built(kind(**SMALL)), normal(50, 6), normal(50, 6, seed=1)
    t = denoiser.times(50, numbers())

    found = denoiser.read(denoiser.noisy(z, eps, t), t, denoiser.goal(z, eps, t))

    torch.testing.assert_close(found.x0, z, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.eps, eps, atol=1e-5, rtol=0)


@BOTH
def test_no_prediction_has_a_smaller_error_than_the_true_mean(kind):
    denoiser = knowing(kind, error="square")
    h = normal(20_000, 2)
    z = h + 0.5 * normal(20_000, 2, seed=1)
    best = denoiser.loss(z, h, numbers()).mean()

    for wrong in (0.4, 0.6):
        denoiser.network.spread = wrong
        assert denoiser.loss(z, h, numbers()).mean() > best
    denoiser.network.spread = 0.5
    assert denoiser.loss(z, h + 0.1, numbers()).mean() > best


@BOTH
def test_the_norm_of_the_paper_is_the_root_of_the_square(kind):
    z, h = normal(20, 6), normal(20, 3)
    one = built(kind(**SMALL, error="norm"), stirred=0.1).loss(z, h, numbers())
    other = built(kind(**SMALL, error="square"), stirred=0.1).loss(z, h, numbers())

    torch.testing.assert_close(one.square(), other)


@BOTH
def test_a_walk_with_the_true_mean_ends_in_the_true_law(kind):
    denoiser, h = knowing(kind, steps=30), normal(4000, 2)
    apart = (denoiser.sample(h, Noise(range(4000))) - h) / 0.5

    assert apart.mean().abs() < 0.05
    assert abs(apart.std() - 1) < 0.03


@BOTH
def test_twice_the_steps_leave_a_quarter_of_the_error(kind):
    denoiser, eps = knowing(kind), normal(200, 2)
    h = torch.ones_like(eps)
    truth = denoiser.walked(eps, h, 250)
    coarse, fine = (rms(denoiser.walked(eps, h, steps) - truth).mean() for steps in (20, 40))

    assert fine < 0.3 * coarse


@BOTH
@SHAPES
def test_a_draw_does_not_depend_on_the_rows_beside_it(kind, shape):
    denoiser, h = built(kind(**SMALL, steps=3), shape, stirred=0.05), normal(5, 3)
    together = denoiser.sample(h, Noise(range(5)))
    alone = torch.cat([denoiser.sample(h[i : i + 1], Noise([i])) for i in range(5)])

    assert together.std() > 0.1
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@BOTH
@SHAPES
def test_the_weights_alone_decide_a_draw_bit_for_bit(kind, shape):
    one = built(kind(**SMALL, steps=3), shape, stirred=0.05)
    other = kind(**SMALL, steps=3).build(shape, 3)
    other.load_state_dict(one.state_dict())
    h = normal(4, 3)

    assert torch.equal(one.sample(h, Noise(range(4))), other.sample(h, Noise(range(4))))


@BOTH
@SHAPES
@pytest.mark.parametrize("through", ["estimate", "sampler"])
def test_the_fiber_loss_reaches_every_weight(kind, shape, through):
    denoiser = built(kind(**SMALL, fiber_through=through), shape, stirred=0.05)
    fresh = denoiser.fresh(normal(8, *shape), normal(8, 3, seed=1), numbers())
    (fresh.z.flatten(1).square().sum(1) * fresh.weight).sum().backward()

    assert fresh.z.shape == (8, *shape)
    assert fresh.weight.shape == (8,)
    still = [n for n, w in denoiser.named_parameters() if w.grad is None or not w.grad.any()]
    assert still == []


@BOTH
def test_the_gradient_of_a_whole_walk_is_that_of_a_difference_and_that_of_its_end_a_part(kind):
    denoiser, h = built(kind(**SMALL), stirred=0.3).double(), normal(4, 3).double()
    eps, weight = normal(4, 6, seed=1).double(), denoiser.network.outlet.bias

    def slope(last):
        (found,) = torch.autograd.grad(denoiser.walked(eps, h, 5, last).sum(), weight)
        return found

    with torch.no_grad():
        ends = []
        for move in (1e-4, -2e-4):
            weight += move
            ends.append(denoiser.walked(eps, h, 5).sum())
        weight += 1e-4
    torch.testing.assert_close(slope(None).sum(), (ends[0] - ends[1]) / 2e-4, rtol=1e-3, atol=0)
    torch.testing.assert_close(slope(5), slope(None))
    assert not torch.allclose(slope(2), slope(None), rtol=0.01)


@BOTH
def test_an_estimate_counts_as_much_as_it_knows(kind):
    denoiser = knowing(kind, spread=1.0, fiber_through="estimate")
    h = torch.zeros(20_000, 2)
    z = normal(20_000, 2)
    fresh = denoiser.fresh(z, h, numbers())
    unknown = (fresh.z - z).square().mean(1)  # of a variance of 1

    for low, high in ((0, 0.3), (0.3, 0.7), (0.7, 1)):
        rows = (fresh.weight >= low) & (fresh.weight <= high)
        assert float((1 - fresh.weight - unknown)[rows].mean()) == pytest.approx(0, abs=0.03)


@BOTH
def test_the_network_is_called_once_for_a_step_of_a_draw(kind):
    denoiser, calls = built(kind(**SMALL, steps=7)), []
    denoiser.network.register_forward_hook(lambda *_: calls.append(1))
    denoiser.sample(normal(3, 3), Noise(range(3)))

    assert len(calls) == 7


def test_how_a_draw_walks_is_no_part_of_what_is_fitted():
    few, many = (ConditionalFlow(**SMALL, steps=steps).identity for steps in (5, 50))

    assert few == many
    assert ConditionalFlow(**SMALL, fiber_last=5).identity != many


def test_rcdm_is_for_images_and_its_features_move_every_pixel():
    with pytest.raises(UsageError, match="cond-diffusion"):
        RCDM(path="unused").build((6,), 3)
    denoiser = built(RCDM(path="unused", width=8, blocks=1), (3, 12, 8), stirred=0.05)
    z, t = normal(1, 3, 12, 8), torch.tensor([0.5])
    apart = denoiser.network(z, t, normal(1, 3)) - denoiser.network(z, t, normal(1, 3, seed=1))

    assert apart.abs().min() > 0


@pytest.mark.parametrize("shape", [(1, 5, 7), (2, 6, 10), (3, 12, 8)])
def test_a_unet_takes_sides_that_cannot_be_halved(shape):
    denoiser = built(ConditionalDiffusion(**SMALL), shape)

    assert denoiser.network(normal(2, *shape), torch.rand(2), normal(2, 3)).shape == (2, *shape)


def test_a_unet_says_which_widths_it_has():
    with pytest.raises(UsageError, match="width = 12"):
        ConditionalFlow(path="unused", width=12).build((1, 8, 8), 3)


def trained(kind, problem, steps=600, **options):
    """A denoiser of a Gaussian's states given a linear phi, as `fit` makes one, but shorter."""
    sampler = kind(path="unused", width=64, blocks=2, **options)
    prior, extractor, source = problem.prior, problem.extractor, numbers()
    root = torch.linalg.cholesky(prior.covariance).float()
    z = prior.mean.float() + torch.randn(20_000, 8, generator=source) @ root.T
    standard = Standard((8,), 3)
    for part, rows in (("state", z), ("feature", extractor.features(z))):
        getattr(standard, f"{part}_mean").copy_(rows.mean(0))
        getattr(standard, f"{part}_std").copy_(rows.std(0))
    denoiser = built(sampler, (8,), 3)
    denoiser.meet(standard.features_of(extractor, prior))
    adam = torch.optim.Adam(denoiser.parameters(), fused=True)
    rate = torch.optim.lr_scheduler.OneCycleLR(adam, 3e-3, total_steps=steps)
    for _ in range(steps):
        some = z[torch.randint(len(z), (256,), generator=source)]
        features = extractor.features(some)
        fresh_z, h = standard.from_state(some), standard.condition(features)
        loss = denoiser.loss(fresh_z, h, source).mean()
        if sampler.fiber_weight:
            fresh = denoiser.fresh(fresh_z, h, source)
            wrong = rms(extractor.features(standard.to_state(fresh.z)) - features)
            loss = loss + sampler.fiber_weight * (fresh.weight * wrong).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        rate.step()
    return SimpleNamespace(generator=denoiser.requires_grad_(False), standard=standard)


@pytest.fixture(scope="module")
def problem():
    return gaussian_problem(2000)


@pytest.fixture(scope="module", params=[ConditionalDiffusion, ConditionalFlow])
def fitted(request, problem):
    return request.param, trained(request.param, problem, fiber_weight=0.0)


def drawn(found, problem):
    """States and their fiber loss."""
    h = found.standard.condition(problem.targets)
    states = found.standard.to_state(found.generator.sample(h, Noise(range(len(h)))))
    return states, float(rms(problem.features(states) - problem.targets).mean())


def apart(states, problem):
    """W2 to the true conditional law."""
    law = problem.prior.conditional(problem.extractor.matrix, problem.targets[0])
    return wasserstein_to_gaussian(states, *law)


def test_a_trained_one_draws_the_true_conditional_law(fitted, problem):
    states, _ = drawn(fitted[1], problem)

    assert apart(states, problem) < 0.25


@pytest.mark.slow
@pytest.mark.parametrize("through", ["estimate", "sampler"])
def test_the_fiber_loss_of_draws_falls_with_its_weight_in_training(fitted, problem, through):
    kind, plain = fitted
    found = [plain] + [
        trained(kind, problem, fiber_weight=weight, fiber_through=through) for weight in (1.0, 10.0)
    ]
    losses = [drawn(each, problem)[1] for each in found]

    assert losses == sorted(losses, reverse=True)
    assert apart(drawn(found[1], problem)[0], problem) < 0.25


@pytest.mark.slow
def test_corrections_leave_less_than_half_of_the_fiber_loss_and_the_law(fitted, problem):
    kind, plain = fitted
    states, loss = drawn(trained(kind, problem, corrections=2), problem)

    assert loss < 0.5 * drawn(plain, problem)[1]
    assert apart(states, problem) < 0.25


class Fitted(ConditionalFlow):
    """A trained sampler whose artefact is at hand."""

    def fitted(self, extractor, prior):
        return self.found


def conditioned(found, sampler):
    trained_sampler = Fitted(path="unused")
    object.__setattr__(trained_sampler, "found", found)
    return Conditioned(trained=trained_sampler, sampler=sampler)


def test_guided_and_trained_is_on_the_fiber_and_as_near_to_the_law_as_trained(fitted, problem):
    _, before = drawn(fitted[1], problem)
    some = problem.select(torch.arange(500))
    draws = conditioned(fitted[1], MomentMatched()).sample(some, Noise(range(500)))

    assert bool(draws.finite.all())
    torch.testing.assert_close(draws.data, problem.prior.decode(draws.states))
    assert rms(problem.extractor.features(draws.data) - some.targets).mean() < 0.05 * before
    assert apart(draws.states, problem) < 0.25


def test_the_conditional_prior_keeps_the_contract_of_priors_row_by_row(fitted):
    problem = gaussian_problem(6)
    found = fitted[1]
    h = found.standard.condition(normal(6, 3))
    prior = ConditionalPrior(problem.prior, found.generator, found.standard, h)
    rows = torch.tensor([4, 1])
    x, t = normal(6, 8), torch.full((6,), 0.5)

    torch.testing.assert_close(prior.decode(prior.encode(x)), x)
    torch.testing.assert_close(
        prior.select(rows).predict(x[rows], t[rows]).x0, prior.predict(x, t).x0[rows]
    )
    whole = Problem(problem.extractor, prior, problem.queries, problem.targets)
    assert torch.equal(whole.select(rows).prior.h, h[rows])
    with pytest.raises(PluginError, match=r"2 states for 6 targets.*select"):
        prior.predict(x[:2], t[:2])


def test_a_prior_that_is_asked_for_no_guidance_draws_as_the_trained_sampler_alone(fitted):
    found, h = fitted[1], normal(50, 3)
    problem = gaussian_problem(50)
    prior = ConditionalPrior(problem.prior, found.generator, found.standard, h)
    free = unguided(prior, Noise(range(50)), steps=250)

    torch.testing.assert_close(free, found.generator.sample(h, Noise(range(50))), atol=0.1, rtol=0)


def test_what_is_no_denoiser_is_refused_in_one_sentence(problem):
    found = SimpleNamespace(
        generator=NormalisingFlow(path="unused", blocks=1, width=8).build((8,), 3),
        standard=Standard((8,), 3),
    )
    with pytest.raises(UsageError, match="cond-flow"):
        conditioned(found, MomentMatched()).sample(problem, Noise(range(2000)))
    with pytest.raises(UsageError, match="is not trained"):
        Conditioned(trained=MomentMatched(), sampler=MomentMatched()).prepare(
            problem.extractor, problem.prior
        )
