"""Laws of plausibility: what the prior believes in is 1, what guidance forced on it is more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fiber_audit_scoring.by_content import normal_for
from fiber_audit_scoring.plausibility import Plausibility, denoising_losses, time_of

from fiber_audit.measuring.scene import Scene
from fiber_audit.testing import GaussianPrior, LinearExtractor, check_metric, measure, seen_in

Q, K, D = 40, 4, 6
SPREAD = torch.tensor([2.0, 1.0, 1.0, 0.5, 0.1, 0.1])


def prior(schedule="vp"):
    return GaussianPrior(torch.zeros(D), torch.diag(SPREAD**2), schedule)


def rows(n, seed):
    return SPREAD * torch.randn((n, D), generator=torch.Generator().manual_seed(seed))


def scene(draws=lambda x: x, schedule="vp"):
    return Scene(
        ids=tuple(f"q{i}" for i in range(Q)),
        queries=rows(Q, 1),
        labels=None,
        extractor=LinearExtractor(torch.eye(D)[:2]),
        prior=prior(schedule),
        dataset=None,
        named={}.__getitem__,
        draws=draws(rows(Q * K, 2)),
        unguided=rows(Q * K, 3),
    )


def pooled(metric, audit):
    return {s.name: s for s in measure(metric, audit) if s.query is None}


@pytest.mark.parametrize("schedule", ["vp", "flow"])
@pytest.mark.parametrize("level", [0.25, 1.0, 3.0])
def test_the_loss_of_the_priors_own_law_is_that_of_theory(schedule, level):
    # at noise level r the best denoiser leaves s^2 / (s^2 + r^2) of eps's variance unexplained
    found = denoising_losses(prior(schedule), rows(6000, 4), (level,)).mean()
    expected = (SPREAD**2 / (SPREAD**2 + level**2)).mean()

    assert float(found) == pytest.approx(float(expected), rel=0.03)


@pytest.mark.parametrize("schedule", ["vp", "flow"])
def test_a_level_is_a_ratio_of_noise_to_signal(schedule):
    t = time_of(prior(schedule), 0.5)
    found = prior(schedule).schedule.sigma(t) / prior(schedule).schedule.alpha(t)
    assert float(found) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("schedule", ["vp", "flow"])
def test_draws_of_the_prior_are_as_plausible_as_queries_of_its_law(schedule):
    found = pooled(Plausibility(), scene(schedule=schedule))

    assert found["mean"].ci_low < 1 < found["mean"].ci_high
    assert found["unguided"].value == pytest.approx(found["queries"].value, rel=0.1)
    assert not Plausibility().suspicious(seen_in(Plausibility(), scene(schedule=schedule))).any()


def test_draws_that_were_forced_where_the_prior_has_no_mass_are_told_of_one_by_one():
    forced = (torch.arange(Q * K) % 8 == 3)[:, None]
    audit = scene(lambda x: x + 1.5 * forced * (torch.arange(D) > 3))
    metric = Plausibility()
    found = pooled(metric, audit)

    assert found["mean"].ci_low > 1
    assert np.array_equal(metric.suspicious(seen_in(metric, audit)), forced.reshape(Q, K).numpy())
    assert "20 of 160 draws are less plausible" in found["mean"].message
    assert found["level_0.25"].value > 2 > 1.2 > found["level_2"].value


def test_draws_that_hardly_vary_are_more_plausible_than_queries():
    assert pooled(Plausibility(), scene(lambda x: 0.3 * x))["mean"].ci_high < 1


def test_the_noise_of_an_input_belongs_to_what_is_in_it():
    x = rows(5, 6)
    assert torch.equal(normal_for(x, "a", (3,))[2:3], normal_for(x[2:3], "a", (3,)))
    assert not torch.equal(normal_for(x, "a", (3,)), normal_for(x, "b", (3,)))
    assert torch.equal(normal_for(0.0 * x, "a", (3,)), normal_for(-0.0 * x, "a", (3,)))


def test_each_row_of_a_conditional_prior_is_denoised_by_its_own_prior():
    class Shifted(GaussianPrior):
        """Its mean is known for each row."""

        def __init__(self, means):
            super().__init__(torch.zeros(D), torch.diag(SPREAD**2))
            self.means = means

        def predict(self, x_t, t):
            alpha = self.schedule.alpha(t)[:, None]
            x0, eps = super().predict(x_t - alpha * self.means, t)
            return type(super().predict(x_t[:1], t[:1]))(x0 + self.means, eps)

        def select(self, rows):
            return Shifted(self.means[rows])

    shifts = 5 * rows(Q, 7)
    plain = scene()
    block = replace(plain, batch_size=7).block("queries")
    moved = replace(
        plain, prior=Shifted(shifts), queries=plain.queries + shifts, batch_size=7
    ).block("queries")
    metric = Plausibility()
    here, there = (metric.observe(b)["losses"].mean() for b in (block, moved))
    assert float(there) == pytest.approx(float(here), rel=0.3)


def test_the_metric_keeps_its_contract():
    assert check_metric(Plausibility(), scene()) == []
