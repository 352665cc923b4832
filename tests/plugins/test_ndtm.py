"""NDTM against a plain textbook loop, and the laws of its parts."""

from __future__ import annotations

import math
import runpy
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from fiber_audit_ndtm.adam import Adam
from fiber_audit_ndtm.ndtm import NDTM
from fiber_audit_ndtm.strength import Strength

from fiber_audit import UsageError
from fiber_audit._draw.meter import Meter
from fiber_audit.contracts import Prior, Problem
from fiber_audit.sampling import BLOCK, Noise
from fiber_audit.testing import GaussianPrior, gaussian_problem

textbook = runpy.run_path(str(Path(__file__).with_name("textbook_ndtm.py")))["sample"]
SHORT = {"steps": 20, "inner_steps": 4, "learning_rate": 0.05}
ONE_ANCHOR = [[5.0, 5.0, 1.0, 0.0]]


class LatentPrior(Prior):
    """A Gaussian on codes: data are tanh of a linear map of the state, states are clipped."""

    clip = (-1.5, 1.5)
    data_range = (-0.9, 0.9)

    def __init__(self, codes: GaussianPrior) -> None:
        self.codes, self.network = codes, codes.network
        self.schedule, self.state_shape = codes.schedule, codes.state_shape

    def predict(self, x_t, t):
        return self.codes.predict(x_t, t)

    def decode(self, state):
        return (0.5 * state).tanh()

    def encode(self, x):
        return 2 * x.clamp(-0.99, 0.99).atanh()


def problem_of(n=5, schedule="vp", latent=False):
    found = gaussian_problem(n, schedule=schedule)
    if not latent:
        return found
    prior = LatentPrior(found.prior)
    queries = prior.decode(found.queries)
    return Problem(found.extractor, prior, queries, found.extractor.features(queries))


OPTION_SETS = {
    "defaults": {},
    "eta 0": {"eta": 0.0},
    "l1, constant rate": {"loss": "l1", "decay": "constant"},
    "squared, ramp": {"loss": "squared", "decay": "cosine", "clip_gradient": 0.1},
    "cross-entropy": {"loss": "cross-entropy"},
    "penalties": {"kappa": 0.05, "tau": 0.3},
    "ddim, large variance": {"eta": 0.5, "variance": "large"},
    "eta 1, large variance": {"variance": "large"},
    "re-approximated": {"target": "reapproximated"},
    "re-approximated from the start": {"target": "reapproximated", "guidance": ONE_ANCHOR},
    "anchors": {
        "guidance": [[0, 0, 1, 0.8], [3, 3, 0.8, 0.6], [1, 0.5, 0.6, 0.2], [2, 10, 0.2, 0]]
    },
}


@pytest.mark.parametrize("latent", [False, True], ids=["pixel", "latent"])
@pytest.mark.parametrize("options", OPTION_SETS.values(), ids=OPTION_SETS.keys())
def test_it_draws_what_the_textbook_loop_draws(options, latent):
    problem = problem_of(latent=latent)
    sampler = NDTM(**SHORT, **options)
    ours = sampler.sample(problem, Noise(range(5)))
    theirs = textbook(problem, Noise(range(5)), sampler)
    torch.testing.assert_close(ours.states, theirs, rtol=1e-3, atol=2e-4)
    assert ours.finite.all()


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_flow_prior_is_drawn_from_like_the_textbook_loop(eta):
    problem = problem_of(schedule="flow")
    sampler = NDTM(**SHORT, eta=eta)
    ours = sampler.sample(problem, Noise(range(5)))
    theirs = textbook(problem, Noise(range(5)), sampler)
    torch.testing.assert_close(ours.states, theirs, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("schedule", ["vp", "flow"])
@pytest.mark.parametrize("latent", [False, True], ids=["pixel", "latent"])
def test_the_fiber_is_reached(schedule, latent):
    problem = problem_of(32, schedule, latent)
    draws = NDTM(steps=50, inner_steps=4, learning_rate=0.05).sample(problem, Noise(range(32)))
    null = NDTM(steps=50, guidance=0.0).sample(problem, Noise(range(32)))
    loss, without = (
        (problem.extractor.features(d.data) - problem.targets).square().mean()
        for d in (draws, null)
    )
    assert loss < without / 10


@pytest.mark.parametrize("target", ["static", "reapproximated"])
def test_strength_zero_is_no_inner_steps_bit_for_bit(target):
    problem = problem_of()
    without = {**SHORT, "inner_steps": 0, "target": target}
    weak = NDTM(**SHORT, guidance=0.0, target=target).sample(problem, Noise(range(5)))
    still = NDTM(**without).sample(problem, Noise(range(5)))
    assert torch.equal(weak.states, still.states)
    assert weak.path.shape == (5, 0)


def test_more_inner_steps_are_not_worse():
    problem = problem_of(64)
    losses = [
        NDTM(steps=20, inner_steps=n, learning_rate=0.05).sample(problem, Noise(range(64)))
        for n in (2, 4, 8, 16)
    ]
    losses = [
        (problem.extractor.features(d.data) - problem.targets).square().mean().sqrt().item()
        for d in losses
    ]
    for fewer, more in pairwise(losses):
        assert more <= 1.2 * fewer


@pytest.mark.parametrize(
    ("options", "guided"),
    [({}, 10), ({"tau": 0.1}, 10), ({"guidance": ONE_ANCHOR}, 20), ({"guidance": 0.0}, 0)],
)
@pytest.mark.parametrize("target", ["static", "reapproximated"])
def test_no_evaluation_is_redundant(options, guided, target):
    problem, n = problem_of(BLOCK), SHORT["inner_steps"]
    extra = guided if target == "reapproximated" else 0
    sampler = NDTM(**SHORT, **options, target=target)
    with Meter(problem.prior, problem.extractor) as cost:
        sampler.sample(problem, Noise(range(BLOCK)))
    assert cost.prior_forward == BLOCK * (20 + guided * n + extra)
    assert cost.prior_backward == BLOCK * guided * n
    assert cost.extractor_forward == BLOCK * (guided * n + extra)
    assert cost.extractor_backward == BLOCK * guided * n


def test_only_a_reapproximated_target_looks_at_the_queries():
    problem = problem_of()
    blind = Problem(problem.extractor, problem.prior, problem.queries * torch.nan, problem.targets)
    seen, unseen = (NDTM(**SHORT).sample(p, Noise(range(5))) for p in (problem, blind))
    assert torch.equal(seen.states, unseen.states)
    looking = NDTM(**SHORT, target="reapproximated").sample(blind, Noise(range(5)))
    assert not looking.finite.any()


def test_adam_is_torchs():
    torch.manual_seed(0)
    theirs = torch.zeros(3, 4, requires_grad=True)
    ours, adam, peer = theirs.detach(), Adam(0.1), torch.optim.Adam([theirs], lr=0.1)
    for scale in (1.0, 1e-6, 0.0, 30.0, 1e-3):
        theirs.grad = scale * torch.randn(3, 4)
        ours = adam(ours, theirs.grad)
        peer.step()
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-6, atol=1e-7)


def test_a_number_guides_below_one_half_only():
    strength = Strength.of(3)
    assert [strength(t) for t in (1.0, 0.75, 0.501, 0.5)] == [0.0] * 4
    assert [strength(t) for t in (0.4999, 0.25, 0.0)] == [3.0] * 3


def test_anchors_run_from_end_to_end_and_the_first_that_holds_t_applies():
    strength = Strength.of([[0, 0, 1, 0.8], [3, 1, 0.8, 0.2], [9, 9, 0.5, 0]])
    assert strength(0.8) == 0
    assert strength(0.2) == pytest.approx(1)
    assert strength(0.5) == pytest.approx(2)
    assert strength(0.65) == pytest.approx(1 + (1 + math.cos(math.pi / 4)))
    assert strength(0.1) == 9


@pytest.mark.parametrize(
    ("guidance", "says"),
    [
        ([[1, 1, 1, 0.6], [1, 1, 0.5, 0]], "from 0.5 to 0.6"),
        ([[1, 1, 0.9, 0]], "from 0.9 to 1"),
        ([[1, 1, 1, 0.1]], "from 0 to 0.1"),
        ([], "from 0 to 1"),
        ([[1, 1, 0, 1]], r"guidance\[0\]"),
        ([[1, 1, 1, 0.5], [1, 1, 0.5, 0.5]], r"guidance\[1\]"),
        ([[1, 1, 1000, 0]], "1 >= t_high"),
        ([[-1, 1, 1, 0]], "from, to >= 0"),
        ([[1, math.nan, 1, 0]], "finite"),
        ([[1, math.inf, 1, 0]], "finite"),
        ([[1, 1, 1]], r"\[from, to, t_high, t_low\]"),
        ([5.0], r"guidance\[0\] = 5.0"),
        ([["a", 1, 1, 0]], r"guidance\[0\]"),
        (-1.0, "guidance = -1.0"),
        (math.nan, "finite number"),
    ],
)
def test_malformed_guidance_is_refused_in_one_sentence_when_the_sampler_is_made(guidance, says):
    with pytest.raises(UsageError, match=says) as caught:
        NDTM(guidance=guidance)
    assert "\n" not in str(caught.value)
