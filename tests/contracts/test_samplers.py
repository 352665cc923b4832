"""Laws of every sampler in the catalogue, a stranger's included; samplers.toml has the options."""

from __future__ import annotations

import tomllib
import weakref
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.options import defaults_of, named_of
from fiber_audit.contracts import Fittable, data_of
from fiber_audit.sampling import Noise, unguided
from fiber_audit.testing import gaussian_problem, wasserstein_to_gaussian

TABLE = tomllib.loads((Path(__file__).parent / "samplers.toml").read_text())
FACTORIES = {
    c.qualified: c.factory
    for c in Catalogue.load()
    # what is fitted has its laws beside it, and what is made of other samplers has theirs
    if c.kind == "sampler" and not isinstance(c.factory, Fittable) and not named_of(c.factory)
}
DRAWS = 400
RANGE = 1.0

every_sampler = pytest.mark.parametrize("name", FACTORIES)
every_schedule = pytest.mark.parametrize("schedule", ["vp", "flow"])
quick_schedule = pytest.mark.parametrize(
    "schedule", ["vp", pytest.param("flow", marks=pytest.mark.slow)]
)
"""For laws of many draws; most plugins have some for flows, too."""


def row(name):
    return TABLE.get(name.rpartition("/")[2], {})


def build(name, *kinds):
    options = {}
    for kind in ("options", *kinds):
        options |= row(name).get(kind, {})
    return FACTORIES[name](**options), defaults_of(FACTORIES[name]) | options


def short_draws(name, problem, noise):
    return build(name, "short")[0].sample(problem, noise)


def mean_squared_fiber_loss(problem, data):
    return (problem.extractor.features(data) - problem.targets).double().square().mean().item()


def w2(problem, data):
    prior = problem.prior
    truth = prior.conditional(problem.extractor.matrix, problem.targets[0])
    return wasserstein_to_gaussian(data, *truth)


@cache
def many(name, schedule):
    """The problem, many draws of the sampler, and as many of the prior."""
    problem = gaussian_problem(DRAWS, schedule=schedule)
    drawn = build(name)[0].sample(problem, Noise(range(DRAWS)))
    return problem, drawn, unguided(problem.prior, Noise(range(DRAWS)))


def holds(name, law, claim):
    """The law holds, or the table says why it cannot; a reason that no longer applies fails too."""
    reason = row(name).get("inherent", {}).get(law)
    assert claim if reason is None else not claim, reason or law


@quick_schedule
@every_sampler
def test_guidance_takes_nine_tenths_of_the_squared_fiber_loss_away(name, schedule):
    problem, drawn, null = many(name, schedule)
    loss = mean_squared_fiber_loss(problem, drawn.data)
    holds(name, "fiber", loss < mean_squared_fiber_loss(problem, null) / 10)


@quick_schedule
@every_sampler
def test_guidance_aims_at_what_a_draw_is_after_it_is_clamped(name, schedule):
    """A state may be on the fiber, by numbers that no draw shows."""
    problem = gaussian_problem(100, schedule=schedule)
    problem.prior.data_range = -RANGE, RANGE
    x = data_of(problem.prior, unguided(problem.prior, Noise(range(100, 200))))
    problem = replace(problem, queries=x, targets=problem.extractor.features(x))
    drawn = build(name)[0].sample(problem, Noise(range(100)))
    null = data_of(problem.prior, unguided(problem.prior, Noise(range(100))))

    assert (drawn.diagnostics["saturation"] > 0).float().mean() > 0.5
    assert torch.equal(problem.features(drawn.states), problem.extractor.features(drawn.data))
    loss = mean_squared_fiber_loss(problem, drawn.data)
    holds(name, "clamped", loss < mean_squared_fiber_loss(problem, null) / 10)


@quick_schedule
@every_sampler
def test_draws_follow_the_true_conditional_distribution(name, schedule):
    problem, drawn, null = many(name, schedule)
    bound = row(name).get("w2", {}).get(schedule, w2(problem, null) / 2)
    holds(name, "conditional", w2(problem, drawn.data) < bound)


@quick_schedule
@every_sampler
def test_draws_are_finite_detached_and_shaped_like_the_problem(name, schedule):
    problem, drawn, _ = many(name, schedule)
    assert drawn.finite.all()
    assert drawn.data.shape == problem.queries.shape
    assert drawn.states.shape == (DRAWS, *problem.prior.state_shape)
    for tensor in (drawn.data, drawn.states, drawn.path, *drawn.diagnostics.values()):
        assert not tensor.requires_grad
        assert tensor.isfinite().all()
        assert len(tensor) == DRAWS


@pytest.mark.parametrize("name", [n for n in FACTORIES if "null" in row(n)])
@every_schedule
def test_without_strength_a_draw_is_the_priors_own_bit_for_bit(name, schedule):
    problem, noise = gaussian_problem(8, schedule=schedule), Noise(range(8))
    sampler, options = build(name, "short", "null")
    grid = {key: options.get(key) for key in ("steps", "eta", "power")}
    how = {key: value for key, value in grid.items() if value is not None}
    how |= row(name).get("null_grid", {})
    expected = unguided(problem.prior, noise, **how)
    assert torch.equal(sampler.sample(problem, Noise(range(8))).states, expected)


@pytest.mark.filterwarnings("ignore:twisted")  # so few rows, steps and particles
@every_sampler
def test_rows_of_a_batch_of_eight_are_batches_of_one(name):
    problem = varied(gaussian_problem(8))
    together = short_draws(name, problem, Noise(range(8)))
    for i in (0, 3, 7):
        alone = short_draws(name, problem.select(torch.tensor([i])), Noise([i]))
        torch.testing.assert_close(alone.data[0], together.data[i], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(alone.path[0], together.path[i], rtol=1e-3, atol=1e-4)


@every_sampler
def test_the_same_seeds_give_the_same_bits(name):
    problem = varied(gaussian_problem(4))
    first, second = (short_draws(name, problem, Noise(range(4))) for _ in range(2))
    assert torch.equal(first.data, second.data)
    assert torch.equal(first.path, second.path)


@every_sampler
def test_the_order_of_the_draws_does_not_matter(name):
    problem, order = varied(gaussian_problem(4)), [2, 0, 3, 1]
    drawn = short_draws(name, problem, Noise(range(4))).data
    shuffled = short_draws(name, problem.select(torch.tensor(order)), Noise(order)).data
    torch.testing.assert_close(shuffled, drawn[order], rtol=1e-4, atol=1e-5)


@every_sampler
def test_a_lost_draw_is_marked_and_poisons_no_other(name):
    problem, others = varied(gaussian_problem(4)), torch.tensor([0, 1, 3])
    whole = short_draws(name, problem, Noise(range(4)))
    lost = short_draws(name, problem, LosingRowTwo(range(4)))
    assert lost.finite.tolist() == [True, True, False, True]
    torch.testing.assert_close(lost.data[others], whole.data[others], rtol=1e-4, atol=1e-5)
    for tensor in (lost.data, lost.states, lost.path, *lost.diagnostics.values()):
        assert tensor.isfinite().all()


@every_sampler
def test_a_target_that_is_not_a_number_costs_its_own_draw_only(name):
    problem, others = varied(gaussian_problem(4)), torch.tensor([0, 1, 3])
    whole = short_draws(name, problem, Noise(range(4)))
    problem.targets[2] = torch.nan
    lost = short_draws(name, problem, Noise(range(4)))
    guided = build(name)[0].guided
    assert lost.finite.tolist() == [True, True, not guided, True]
    torch.testing.assert_close(lost.data[others], whole.data[others], rtol=1e-4, atol=1e-5)
    for tensor in (lost.data, lost.states, lost.path, *lost.diagnostics.values()):
        assert tensor.isfinite().all()


@pytest.mark.parametrize("name", [n for n, f in FACTORIES.items() if "steps" in defaults_of(f)])
def test_no_graph_outlives_its_step_so_memory_does_not_grow_with_the_steps(name):
    options = row(name).get("options", {}) | row(name).get("short", {})
    few, many = (most_kept(FACTORIES[name](**options | {"steps": n})) for n in (10, 40))
    assert many == few
    assert (few > 0) == (build(name)[0].guided)


def most_kept(sampler):
    """The most tensors that graphs held at once; none is held afterwards."""
    kept, most = weakref.WeakSet(), 0

    def pack(tensor):
        nonlocal most
        kept.add(held := Held(tensor))
        most = max(most, len(kept))
        return held

    problem = varied(gaussian_problem(4))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda held: held.tensor):
        sampler.sample(problem, Noise(range(4)))
    assert len(kept) == 0
    return most


class Held:
    """A tensor that a graph saved for its backward pass."""

    def __init__(self, tensor):
        self.tensor = tensor


def varied(problem):
    """The same problem with another query for each draw."""
    spread = 0.2 * torch.arange(len(problem.queries))[:, None]
    queries = problem.queries + spread
    return type(problem)(
        problem.extractor, problem.prior, queries, problem.extractor.features(queries)
    )


class LosingRowTwo(Noise):
    """Noise whose stream of seed 2 starts with what is not a number."""

    started = False

    def normal(self, shape, like=None):
        drawn = super().normal(shape, like)
        if not self.started:
            drawn[self.seeds.index(2)] = torch.nan
        self.started = True
        return drawn
