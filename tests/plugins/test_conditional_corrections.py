"""Corrections: the end of a walk is moved by what its features lack."""

import pytest
import torch
from denoisers import BOTH, SHAPES, built, normal, numbers
from fiber_audit_conditional.cond_flow import ConditionalFlow
from rows import Rows
from torch import nn

from fiber_audit import UsageError, WeightsError
from fiber_audit.contracts import Fitting
from fiber_audit.sampling import Noise, rms
from fiber_audit.testing import gaussian_problem

SMALL = {"path": "unused", "width": 16, "blocks": 2, "steps": 4}


def met(sampler, shape=(6,), features=3, stirred=0.05):
    """A generator that knows its features: the head of z."""
    generator = built(sampler, shape, features, stirred)
    generator.meet(lambda z: z.flatten(1)[:, :features])
    return generator


def stirred_correction():
    return built(ConditionalFlow(**SMALL, corrections=1), stirred=0.1).correction


class Inverse(nn.Module):
    """The right step where the features are the head of a state."""

    def forward(self, z, h, lacks):
        return nn.functional.pad(lacks, (0, z.shape[1] - lacks.shape[1]))


@BOTH
def test_a_correction_that_inverts_the_features_leaves_a_draw_what_they_do_not_see(kind):
    denoiser, plain = met(kind(**SMALL, corrections=1)), met(kind(**SMALL))
    denoiser.correction = Inverse()
    h = normal(50, 3)
    draws, walks = (each.sample(h, Noise(range(50))) for each in (denoiser, plain))

    torch.testing.assert_close(draws[:, :3], h)
    assert torch.equal(draws[:, 3:], walks[:, 3:])


def test_a_state_on_its_fiber_stays_and_opposite_lacks_make_opposite_steps():
    correction, z, h, lacks = stirred_correction(), normal(9, 6), normal(9, 3), normal(9, 3, seed=1)

    assert not correction(z, h, torch.zeros_like(h)).any()
    assert correction(z, h, lacks).any(1).all()
    torch.testing.assert_close(correction(z, h, -lacks), -correction(z, h, lacks))


def test_ten_times_the_lack_is_ten_times_the_step_near_a_fiber_and_less_far_from_it():
    correction, z, h, lacks = stirred_correction(), normal(9, 6), normal(9, 3), normal(9, 3, seed=1)
    sizes = [float(correction(z, h, k * lacks).detach().norm()) for k in (1e-4, 1e-3, 10, 100)]

    assert sizes[1] / sizes[0] == pytest.approx(10, rel=0.01)
    assert sizes[3] < 3 * sizes[2]


def test_corrections_learn_the_way_to_the_fiber_and_move_nothing_that_no_feature_sees():
    denoiser = built(ConditionalFlow(**SMALL, corrections=1), (8,), 3)

    def features(z):
        return z[:, :3] + 0.5 * torch.sin(2 * z[:, 3:6])

    denoiser.meet(features)
    source, adam = numbers(2), torch.optim.Adam(denoiser.correction.parameters(), 1e-3)
    for _ in range(150):
        h = torch.randn(128, 3, generator=source)
        loss = rms(features(denoiser.fresh(h.new_zeros(128, 8), h, source).z) - h).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    h, noise = normal(500, 3, seed=3), Noise(range(500))
    with torch.no_grad():
        walks = denoiser.walked(noise.normal((8,), like=h), h, 4)
        draws = denoiser.corrected(walks, h)
        before, after = (rms(features(z) - h).mean() for z in (walks, draws))

    assert after < 0.4 * before
    assert torch.equal(draws[:, 6:], walks[:, 6:])


@BOTH
@SHAPES
def test_a_fit_with_corrections_begins_where_one_without_them_ends(kind, shape):
    plain = met(kind(**SMALL), shape)
    more = met(kind(**SMALL, corrections=2), shape)
    nn.init.zeros_(more.correction.outlet.weight)  # as before training
    more.begin(plain.state_dict())
    h = normal(4, 3)

    assert torch.equal(more.sample(h, Noise(range(4))), plain.sample(h, Noise(range(4))))
    with pytest.raises(RuntimeError):
        plain.begin(more.state_dict())


@BOTH
@SHAPES
def test_with_corrections_a_draw_does_not_depend_on_the_rows_beside_it(kind, shape):
    denoiser, h = met(kind(**SMALL, corrections=2), shape), normal(5, 3)
    together = denoiser.sample(h, Noise(range(5)))
    alone = torch.cat([denoiser.sample(h[i : i + 1], Noise([i])) for i in range(5)])

    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@BOTH
@SHAPES
@pytest.mark.parametrize("through", ["estimate", "sampler"])
def test_the_fiber_loss_trains_the_corrections_alone_and_the_density_the_walk(kind, shape, through):
    denoiser = met(kind(**SMALL, fiber_through=through, corrections=2), shape)
    z, h = normal(8, *shape), normal(8, 3, seed=1)
    walk, corrections = ([*part.parameters()] for part in (denoiser.network, denoiser.correction))
    for loss, learns, rests in (
        (denoiser.fresh(z, h, numbers()).z.square().sum(), corrections, walk),
        (denoiser.loss(z, h, numbers()).sum(), walk, corrections),
    ):
        denoiser.zero_grad()
        loss.backward()
        assert all(weight.grad.any() for weight in learns)
        assert all(weight.grad is None for weight in rests)


@BOTH
def test_the_gradient_goes_through_all_corrections_and_what_they_are_shown(kind):
    denoiser = met(kind(**SMALL, corrections=2)).double()
    h, end = normal(4, 3).double(), normal(4, 6, seed=1).double().requires_grad_()

    assert torch.autograd.gradcheck(lambda z: denoiser.corrected(z, h), end)


@BOTH
def test_a_draw_asks_the_network_in_every_step_and_the_features_in_every_correction(kind):
    denoiser, calls = met(kind(**SMALL, corrections=2)), []
    denoiser.network.register_forward_hook(lambda *_: calls.append("network"))
    denoiser.meet(lambda z: calls.append("features") or z[:, :3])
    denoiser.sample(normal(3, 3), Noise(range(3)))

    assert calls == [*["network"] * 4, *["features"] * 2]


def test_fits_from_before_there_were_corrections_are_still_what_they_were():
    assert "corrections" not in ConditionalFlow(**SMALL).identity
    assert ConditionalFlow(**SMALL, corrections=2).identity["corrections"] == 2


def test_corrections_that_nothing_would_train_are_refused():
    with pytest.raises(UsageError, match=r"corrections = 1: .* give a fiber_weight"):
        ConditionalFlow(**SMALL, corrections=1, fiber_weight=0.0)


def test_the_times_of_a_walk_are_part_of_a_fit_that_walks():
    assert "power" not in ConditionalFlow(**SMALL).identity
    assert "power" not in ConditionalFlow(**SMALL, fiber_weight=0.0, power=1.0).identity
    assert ConditionalFlow(**SMALL, power=1.0).identity["power"] == 1.0


def test_the_last_step_of_even_times_is_as_long_as_the_others():
    denoiser, seen = met(ConditionalFlow(**SMALL, power=1.0)), []
    denoiser.network.register_forward_pre_hook(lambda _, args: seen.append(float(args[1][0])))
    denoiser.sample(normal(2, 3), Noise(range(2)))

    assert seen == pytest.approx([1.0, 0.75, 0.5, 0.25], abs=0.01)


def test_a_fit_with_corrections_is_read_back_and_goes_by_its_own_extractor(tmp_path):
    problem = gaussian_problem(20)
    options = {
        "path": str(tmp_path), "training_steps": 12, "batch": 16, "fiber_batch": 4, "width": 16,
        "blocks": 1, "steps": 3, "corrections": 2,
    }  # fmt: skip
    task = Fitting(
        Rows(normal(200, 8)), "cpu", 0, lambda line: None, problem.extractor, problem.prior
    )
    ConditionalFlow.fit(task, **options)
    sampler, calls = ConditionalFlow(**options), []
    sampler.prepare(problem.extractor, problem.prior)
    problem.extractor.network.register_forward_hook(lambda *_: calls.append(1))
    draws = sampler.sample(problem, Noise(range(20)))

    assert draws.finite.all()
    assert len(calls) == 2
    with pytest.raises(WeightsError, match="fitted with other options"):
        ConditionalFlow(**{**options, "corrections": 1}).prepare(problem.extractor, problem.prior)


@pytest.mark.parametrize("name", ["fiber_weight", "clip_norm", "learning_rate", "jitter"])
def test_numbers_that_no_training_survives_are_refused(name):
    with pytest.raises(UsageError, match=f"{name} = inf: "):
        ConditionalFlow(**SMALL, **{name: float("inf")})
