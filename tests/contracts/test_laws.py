"""Where a fiber is curved or in several parts, a sampler follows the truth, or the table says not.

`samplers.toml` has under `sw1` the distances of the samplers that fail a law, with their defaults;
one that no longer fails must leave the table. `benchmarks/laws.py` has more laws, flows and draws.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import pytest
import torch

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.sampling import Noise, derive_seed
from fiber_audit.testing import LAWS, sliced_w1

TABLE = tomllib.loads((Path(__file__).parent / "samplers.toml").read_text())
FACTORIES = {
    c.qualified: c.factory
    for c in Catalogue.load()
    if c.kind == "sampler" and c.plugin != "conditional"  # fitted to a pair, and to no toy
}
DRAWS = 400
NAMED = [
    "ring",  # curved, and in two parts
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("two-bumps", "product", "four-bumps")
    ),
]


@cache
def law_of(name, schedule):
    """A law; its exact draws are found once."""
    return LAWS[name](schedule)


@cache
def floor(name):
    """Sliced W1 to the truth of as many exact draws."""
    return law_of(name, "vp").floor(DRAWS)[0]


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("sampler", FACTORIES)
def test_draws_follow_the_law_or_miss_it_by_what_the_table_says(sampler, name):
    row = TABLE.get(sampler.rpartition("/")[2], {})
    law = law_of(name, "vp")
    problem = law.problem(DRAWS)
    drawn = FACTORIES[sampler](**row.get("options", {})).sample(
        problem, Noise([derive_seed("contract", i) for i in range(DRAWS)])
    )
    found, _ = law.distances(drawn.data)
    listed = row.get("sw1", {}).get(name)

    if listed is None:
        assert found <= 3 * floor(name)
    else:
        assert listed / 2 <= found <= listed * 2


@pytest.mark.parametrize(
    ("name", "schedule"),
    [
        ("ring", "vp"),
        ("circle", "flow"),
        ("four-bumps", "vp"),
        pytest.param("ring", "flow", marks=pytest.mark.slow),
        pytest.param("circle", "vp", marks=pytest.mark.slow),
        pytest.param("four-bumps", "flow", marks=pytest.mark.slow),
    ],
)
def test_the_truth_of_a_law_is_what_is_left_of_the_prior_near_the_fiber(name, schedule):
    """The exact draws, found along the fiber or in closed form, against rejection."""
    law = law_of(name, schedule)
    x = law.prior.draw(1_000_000, torch.Generator().manual_seed(0))
    off = (law.extractor.features(x.float()) - law.target).norm(dim=1)
    width = 0.15 * law.extractor.feature_size**0.5
    kept = x[off < width]

    assert len(kept) > 100
    assert sliced_w1(kept, law.truth) <= width / 2 + 2 * law.floor(len(kept), 3)[0]


@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_on_its_fiber_and_has_its_parts(name):
    law = law_of(name, "vp")
    off = (law.extractor.features(law.truth[:500].float()) - law.target).abs().max()

    assert off < (0.3 if name == "network" else 1e-3)
    assert law.weights(law.truth).sum() == pytest.approx(1)
    assert law.problem(3).targets.shape == (3, law.extractor.feature_size)


@pytest.mark.parametrize("schedule", ["vp", "flow"])
def test_the_mixtures_denoiser_is_the_mean_of_the_posterior(schedule):
    """E[x_0 | x_t] by weighing many draws of the prior."""
    prior = law_of("two-bumps", schedule).prior
    t, x_t = torch.tensor([0.5]), torch.tensor([[0.4, -0.3]])
    alpha, sigma = prior.schedule.alpha(t).double(), prior.schedule.sigma(t).double()
    x0 = prior.draw(200_000, torch.Generator().manual_seed(0))
    seen = (-((x_t.double() - alpha * x0) ** 2).sum(1) / (2 * sigma**2)).softmax(0)

    torch.testing.assert_close(prior.predict(x_t, t).x0[0].double(), seen @ x0, atol=0.03, rtol=0)
