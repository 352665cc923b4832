"""A draw is the same in any batch: laws of every sampler in the catalogue, a stranger's included.

A network rounds a row by the kernel that its batch is computed with, and a sampler that decides, or
amplifies, makes another draw of that; hence `fiber_audit.sampling.in_blocks`. `samplers.toml` has
under `few` the options of the laws on trained networks.
"""

from __future__ import annotations

import tomllib
from copy import copy
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

import fiber_audit
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.options import defaults_of, named_of
from fiber_audit.contracts import Fittable, Prediction, Problem
from fiber_audit.sampling import BLOCK, Noise
from fiber_audit.testing import gaussian_problem

TABLE = tomllib.loads((Path(__file__).parent / "samplers.toml").read_text())
CATALOGUE = Catalogue.load()
SAMPLERS = {c.qualified: c.factory for c in CATALOGUE if c.kind == "sampler"}
FREE = {  # what is fitted, or made of other samplers, is drawn from below
    name: factory
    for name, factory in SAMPLERS.items()
    if not isinstance(factory, Fittable) and not named_of(factory)
}
FITTED = [name for name, factory in SAMPLERS.items() if isinstance(factory, Fittable)]
SUITES = Path(fiber_audit.__file__).parent / "suites"
collapsing = pytest.mark.filterwarnings("ignore:twisted")  # of few particles
STRICT = {"rtol": 0.0, "atol": 1e-4}


def few(name):
    """A sampler in few steps."""
    row, factory = TABLE.get(name.rpartition("/")[2], {}), FREE[name]
    steps = {"steps": 4} if "steps" in defaults_of(factory) else {}
    return factory(**steps | row.get("options", {}) | row.get("short", {}) | row.get("few", {}))


def agree(sampler, problem, whole, first, size):
    """Some rows of a problem, drawn alone, are what they are among all."""
    rows = torch.arange(first, first + size)
    alone = sampler.sample(problem.select(rows), Noise(rows.tolist()))
    torch.testing.assert_close(alone.data, whole.data[rows], **STRICT)
    torch.testing.assert_close(alone.states, whole.states[rows], **STRICT)


@pytest.mark.parametrize("name", FREE)
def test_networks_that_show_how_many_rows_they_see_give_no_draw_away(name):
    """Kernels that differ with the batch, and by far more than any real ones."""
    problem, sampler = shape_dependent(gaussian_problem(20)), few(name)
    whole = sampler.sample(problem, Noise(range(20)))

    agree(sampler, problem, whole, 0, 1)
    agree(sampler, problem, whole, 7, 3)


def shape_dependent(problem):
    """A problem whose networks are off by a tenth for every row beyond whole blocks."""
    prior, extractor = copy(problem.prior), copy(problem.extractor)

    def off(x):
        return 0.1 * (len(x) % BLOCK)

    def predict(x_t, t):
        return Prediction(*(part + off(x_t) for part in problem.prior.predict(x_t, t)))

    prior.predict = predict
    prior.decode = lambda state: problem.prior.decode(state) + off(state)
    extractor.features = lambda x: problem.extractor.features(x) + off(x)
    return Problem(extractor, prior, problem.queries, problem.targets)


@pytest.mark.parametrize("name", FITTED)
def test_a_trained_generator_is_given_whole_blocks(name):
    images, factory = name.endswith("/rcdm"), SAMPLERS[name]
    options = {"width": 8, "blocks": 1} if images else {}
    options |= {"steps": 2} if "steps" in defaults_of(factory) else {}
    generator = factory(path="none", **options).build((3, 16, 16) if images else (8,), 3)
    seen = []
    for module in generator.network.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            module.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    h = torch.zeros(3, 3)
    states = generator.sample(h, Noise(range(3)))

    assert len(states) == 3
    assert seen
    assert not any(n % BLOCK for n in seen)


@cache
def color_mnist(code, space, draws):
    """Draws of a code's fibers through a trained prior."""
    extractor = CATALOGUE.find("extractor", f"color-mnist-{code}").factory()
    prior = CATALOGUE.find("prior", f"color-mnist-{space}").factory()
    queries = CATALOGUE.find("dataset", "color-mnist").factory(n=16).load(range(16))
    queries = queries.repeat(4, 1, 1, 1)[:draws]
    return Problem(extractor, prior, queries, extractor.features(queries))


@collapsing
@pytest.mark.parametrize("name", FREE)
def test_a_draw_alone_is_the_same_draw(name):
    problem, sampler = color_mnist("colour", "latent", 16), few(name)
    whole = sampler.sample(problem, Noise(range(16)))

    agree(sampler, problem, whole, 15, 1)


@collapsing
@pytest.mark.slow
@pytest.mark.parametrize("space", ["latent", "pixel"])
@pytest.mark.parametrize("name", FREE)
def test_64_draws_agree_with_batches_of_one_and_of_three(name, space):
    problem, sampler = color_mnist("shape", space, 64), few(name)
    whole = sampler.sample(problem, Noise(range(64)))

    for first in (0, 21, 42, 63):
        agree(sampler, problem, whole, first, 1)
    for first in (1, 23, 45, 61):
        agree(sampler, problem, whole, first, 3)


def test_draws_of_a_trained_generator_and_of_its_guide_agree_with_a_batch_of_one():
    suites = [tomllib.loads(path.read_text()) for path in sorted(SUITES.glob("color-mnist*.toml"))]
    options = next(s["samplers"]["trained"] for s in suites if "trained" in s["samplers"])
    trained = SAMPLERS["conditional/" + options.pop("use")](**options, steps=4)
    guide = few("moment-matched/moment-matched")
    problem = color_mnist("shape", "latent", 16)
    for sampler in (trained, SAMPLERS["conditional/conditioned"](trained=trained, sampler=guide)):
        whole = sampler.sample(problem, Noise(range(16)))
        agree(sampler, problem, whole, 15, 1)
