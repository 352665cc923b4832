"""Feedback: a walking generator is shown what its own estimate lacks."""

import pytest
import torch
from denoisers import BOTH, SHAPES, built, normal, numbers
from fiber_audit_conditional.cond_flow import ConditionalFlow
from fiber_audit_conditional.denoising import RESOLUTION
from rows import Rows
from torch import nn

from fiber_audit import UsageError, WeightsError
from fiber_audit.contracts import Fitting
from fiber_audit.sampling import Noise, noise_of
from fiber_audit.testing import gaussian_problem

SMALL = {"path": "unused", "width": 16, "blocks": 2, "steps": 4}


def met(sampler, shape=(6,), features=3, stirred=0.05):
    """A generator that knows its features: the head of z."""
    generator = built(sampler, shape, features, stirred)
    generator.meet(lambda z: z.flatten(1)[:, :features])
    return generator


class Corrector(nn.Module):
    """A network that errs by 1 in every feature, and mends what it is shown: h is z here."""

    def __init__(self, denoiser, size):
        super().__init__()
        self.schedule, self.goal, self.size = denoiser.schedule, denoiser.goal, size

    def forward(self, z_t, t, told):
        h, lacks, before = told.split(self.size, dim=1)
        x0 = torch.where(
            (before == 0).all(1, keepdim=True), h + 1, before + RESOLUTION * lacks.sinh()
        )
        return self.goal(x0, noise_of(self.schedule, z_t, x0, t), t)


@BOTH
def test_what_an_estimate_lacks_is_shown_in_a_draw_so_that_it_can_be_mended(kind):
    denoiser = met(kind(**SMALL, feedback=True), (2,), 2, stirred=0.0)
    denoiser.meet(lambda z: z)
    denoiser.network = Corrector(denoiser, 2)
    h = normal(50, 2)

    torch.testing.assert_close(denoiser.sample(h, Noise(range(50))), h, atol=1e-4, rtol=0)
    denoiser.meet(lambda z: z + 0.1)  # features measured wrongly
    assert not torch.allclose(denoiser.sample(h, Noise(range(50))), h, atol=1e-2)


@BOTH
def test_an_estimate_on_its_fiber_is_shown_to_lack_nothing(kind):
    denoiser, x0 = met(kind(**SMALL, feedback=True)), normal(5, 6)
    h, lacks, before = denoiser.told(x0[:, :3], x0).split([3, 3, 6], dim=1)

    assert torch.equal(h, x0[:, :3])
    assert not lacks.any()
    assert torch.equal(before, x0)
    assert not denoiser.told(h)[:, 3:].any()


@BOTH
@SHAPES
def test_a_fit_with_feedback_begins_where_one_without_it_ends(kind, shape):
    plain = met(kind(**SMALL), shape)
    more = met(kind(**SMALL, feedback=True), shape)
    more.begin(plain.state_dict())
    h = normal(4, 3)

    torch.testing.assert_close(
        more.sample(h, Noise(range(4))), plain.sample(h, Noise(range(4))), atol=1e-4, rtol=1e-4
    )
    with pytest.raises(RuntimeError):
        plain.begin(more.state_dict())


@BOTH
@SHAPES
def test_with_feedback_a_draw_does_not_depend_on_the_rows_beside_it(kind, shape):
    denoiser, h = met(kind(**SMALL, feedback=True), shape), normal(5, 3)
    together = denoiser.sample(h, Noise(range(5)))
    alone = torch.cat([denoiser.sample(h[i : i + 1], Noise([i])) for i in range(5)])

    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@BOTH
@SHAPES
@pytest.mark.parametrize("through", ["estimate", "sampler"])
def test_with_feedback_both_losses_reach_every_weight(kind, shape, through):
    denoiser = met(kind(**SMALL, fiber_through=through, feedback=True), shape)
    z, h = normal(8, *shape), normal(8, 3, seed=1)
    fresh = denoiser.fresh(z, h, numbers())
    for loss in (fresh.z.square().sum(), denoiser.loss(z, h, numbers()).sum()):
        denoiser.zero_grad()
        loss.backward()
        still = [n for n, w in denoiser.named_parameters() if w.grad is None or not w.grad.any()]
        assert still == []
        if len(shape) == 1:  # every column: h, what lacks, the estimate
            assert denoiser.network.features.weight.grad.any(0).all()


@BOTH
def test_half_of_a_batch_learns_without_an_estimate_and_a_quarter_from_a_second_one(kind):
    denoiser, seen = met(kind(**SMALL, feedback=True)), []
    denoiser.network.register_forward_pre_hook(lambda _, args: seen.append(args[2].clone()))
    denoiser.loss(normal(8, 6), normal(8, 3), numbers())

    shown = [told[:, 3:].any(1).tolist() for told in seen]
    assert shown == [[False] * 4, [True] * 2, [True] * 4 + [False] * 4]


@BOTH
def test_a_step_of_a_draw_asks_the_network_once_and_the_features_once_after_the_first(kind):
    denoiser, calls = met(kind(**SMALL, feedback=True)), []
    denoiser.network.register_forward_hook(lambda *_: calls.append("network"))
    denoiser.meet(lambda z: calls.append("features") or z[:, :3])
    denoiser.sample(normal(3, 3), Noise(range(3)))

    assert calls == ["network", *["features", "network"] * 3]


def test_fits_from_before_there_was_feedback_are_still_what_they_were():
    assert "feedback" not in ConditionalFlow(**SMALL).identity
    assert ConditionalFlow(**SMALL, feedback=True).identity["feedback"] is True


def test_the_times_of_a_walk_are_part_of_a_fit_that_walks():
    assert "power" not in ConditionalFlow(**SMALL).identity
    assert "power" not in ConditionalFlow(**SMALL, fiber_weight=0.0, power=1.0).identity
    assert ConditionalFlow(**SMALL, power=1.0).identity["power"] == 1.0


def test_the_last_step_of_even_times_is_as_long_as_the_others():
    denoiser, seen = met(ConditionalFlow(**SMALL, power=1.0)), []
    denoiser.network.register_forward_pre_hook(lambda _, args: seen.append(float(args[1][0])))
    denoiser.sample(normal(2, 3), Noise(range(2)))

    assert seen == pytest.approx([1.0, 0.75, 0.5, 0.25], abs=0.01)


def test_a_fit_with_feedback_is_read_back_and_goes_by_its_own_extractor(tmp_path):
    problem = gaussian_problem(20)
    options = {
        "path": str(tmp_path), "training_steps": 12, "batch": 16, "fiber_batch": 4, "width": 16,
        "blocks": 1, "steps": 3, "feedback": True,
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
        ConditionalFlow(**{**options, "feedback": False}).prepare(problem.extractor, problem.prior)


@pytest.mark.parametrize("name", ["fiber_weight", "clip_norm", "learning_rate", "jitter"])
def test_numbers_that_no_training_survives_are_refused(name):
    with pytest.raises(UsageError, match=f"{name} = inf: "):
        ConditionalFlow(**SMALL, **{name: float("inf")})
