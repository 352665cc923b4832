"""Causal MNIST: its law, its states, its penalty; and what the shipped networks are known to do."""

import pytest
import torch
from fiber_audit_causal_mnist import digits
from fiber_audit_causal_mnist.attributes import CausalColour, CausalDigit
from fiber_audit_causal_mnist.colouring import colour_of, coloured, labelled, painted
from fiber_audit_causal_mnist.dataset import CausalMNIST
from fiber_audit_causal_mnist.extractors import ERM, IRM
from fiber_audit_causal_mnist.mixture import Mixture
from fiber_audit_causal_mnist.prior import LabelledDigits
from fiber_audit_causal_mnist.train.classifiers import accuracy, penalty
from fiber_audit_moment_matched.moment_matched import MomentMatched
from torch.nn import functional as F

from fiber_audit import DataError
from fiber_audit.check import check_attribute, check_dataset, check_extractor, check_prior
from fiber_audit.contracts import Problem
from fiber_audit.sampling import Noise, unguided

LABELS = (0, 1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def free():
    """Label -> unguided draws, in data space."""
    found = {}
    for label in LABELS:
        prior = LabelledDigits(label)
        found[label] = prior.decode(unguided(prior, Noise(range(400)), 30)).clamp(0, 1)
    return found


def test_labels_and_colours_have_the_shares_that_the_law_gives_them():
    numbers = torch.arange(10).repeat(4000)
    y = labelled(numbers, generator())
    c = coloured(y, 0.2, generator(1))

    assert float((y == (numbers < 5)).double().mean()) == pytest.approx(0.75, abs=0.01)
    assert float((c == y).double().mean()) == pytest.approx(0.80, abs=0.01)


def test_a_painted_digit_keeps_its_strokes_and_its_colour():
    some, colours = digits.held_out().images[:50], torch.arange(50) % 2
    x = painted(some, colours)

    assert torch.equal(x.sum(1), some)
    assert torch.equal(colour_of(x), colours)


def test_queries_of_both_labels_are_all_digits_and_more_queries_are_the_same_and_more():
    few, many, others = CausalMNIST(20), CausalMNIST(40), CausalMNIST(40, label=1)

    assert many.ids[:20] == few.ids
    assert torch.equal(many.load(range(20)), few.load(range(20)))
    assert not {*many.ids} & {*others.ids}
    with pytest.raises(DataError, match="ask for fewer"):
        CausalMNIST(1000)


@pytest.mark.parametrize("label", LABELS)
def test_colours_of_queries_disagree_with_their_label_in_the_share_asked_for(label):
    data = CausalMNIST(400, label=label, e=0.9)
    agree = (colour_of(data.load(range(400))) == label).double().mean()
    fresh = (colour_of(data.reference(2000, generator())) == label).double().mean()

    assert float(agree) == pytest.approx(0.1, abs=0.05)
    assert float(fresh) == pytest.approx(0.1, abs=0.03)


def test_the_penalty_is_the_square_of_the_slope_that_autograd_finds():
    logits, y = torch.randn(64, generator=generator()), torch.arange(32).repeat_interleave(2) % 2.0
    logits = logits.repeat_interleave(2)[:64]  # both halves alike: then it is exactly the square
    w = torch.ones((), requires_grad=True)
    (slope,) = torch.autograd.grad(F.binary_cross_entropy_with_logits(w * logits, y), w)

    assert float(penalty(logits, y)) == pytest.approx(float(slope) ** 2, rel=1e-4)


def test_the_penalty_of_two_halves_is_unbiased():
    logits = torch.full((100_000,), 0.4)
    y = (torch.rand(100_000, generator=generator()) < torch.tensor(0.4).sigmoid()).float()
    found = torch.stack(
        [penalty(*pair) for pair in zip(logits.split(20), y.split(20), strict=True)]
    )

    assert abs(float(found.mean())) < 4 * float(found.std() / len(found) ** 0.5)
    squares = (((logits.sigmoid() - y) * logits).reshape(-1, 20).mean(1).square()).mean()
    assert float(squares) > 4 * float(found.std() / len(found) ** 0.5)  # the mutant is caught


def small_mixture():
    mixture, g = Mixture(3, 4, 2), generator()
    mixture.weights[1] = torch.tensor([0.5, 0.3, 0.2])
    mixture.odds[1] = 4.0
    mixture.means.copy_(torch.randn(3, 4, generator=g))
    mixture.vectors.copy_(torch.linalg.qr(torch.randn(3, 4, 2, generator=g)).Q)
    mixture.values.copy_(torch.rand(3, 2, generator=g) + 0.5)
    mixture.rest.copy_(torch.tensor([0.1, 0.2, 0.3]))
    return mixture


@pytest.mark.parametrize("t", [0.05, 0.5, 1.0])
def test_the_denoiser_of_the_mixture_is_bayes_rule_written_out(t):
    mixture, x = small_mixture(), torch.randn(5, 5, generator=generator(1))
    found = mixture(x, torch.full((5,), 1 - t), torch.full((5,), t), 1)

    eye, z, alpha = torch.eye(4).double(), x[:, :4].double(), 1 - t
    posterior, evidence = [], []
    for k in range(3):
        v, m = mixture.vectors[k].double(), mixture.means[k].double()
        c = v @ torch.diag(mixture.values[k].double()) @ v.T
        c = c + mixture.rest[k].double() * (eye - v @ v.T)
        marginal = alpha**2 * c + t**2 * eye
        posterior.append(m + (z - alpha * m) @ torch.linalg.inv(marginal) @ (alpha * c))
        law = torch.distributions.MultivariateNormal(alpha * m, marginal)
        evidence.append(law.log_prob(z) + mixture.weights[1, k].double().log())
    share = torch.stack(evidence).softmax(0)
    wanted = (share[:, :, None] * torch.stack(posterior)).sum(0)
    colours = torch.tensor([1.0, -1.0])
    law = torch.distributions.Normal(alpha * colours, t)
    seen = (law.log_prob(x[:, 4:]) + torch.tensor([0.8, 0.2]).log()).softmax(1)

    assert torch.allclose(found[:, :4].double(), wanted, atol=1e-4)
    assert torch.allclose(found[:, 4], seen @ colours, atol=1e-4)


def test_a_state_is_a_digit_and_its_colour():
    prior, x = LabelledDigits(), CausalMNIST(64).load(range(64))
    again = prior.decode(prior.encode(x))

    assert float((again - x).square().mean().sqrt()) < 0.04
    assert torch.allclose(prior.encode(x)[:, -1], 2.0 * colour_of(x) - 1)


def test_erm_holds_in_training_and_fails_in_the_test_and_irm_holds_in_both():
    pool = digits.held_out()
    erm, irm = ERM().network, IRM().network

    assert accuracy(erm, pool, 0.2) > 0.76
    assert accuracy(erm, pool, 0.9) < 0.3
    assert accuracy(irm, pool, 0.2) > 0.62
    assert accuracy(irm, pool, 0.9) > 0.6


def test_the_judge_knows_digits_that_it_never_saw_and_sees_no_colour():
    pool, judge = digits.held_out(), CausalDigit()
    zero, one = (painted(pool.images, torch.full((len(pool),), c)) for c in (0, 1))

    assert torch.equal(judge.read(zero), judge.read(one))
    assert float((judge.read(zero) == pool.numbers).double().mean()) >= judge.accuracy - 0.01


@pytest.mark.parametrize("label", LABELS)
def test_unguided_draws_have_the_colours_and_digits_of_their_label(label, free):
    colours = (CausalColour().read(free[label]) == label).double().mean()
    below = (CausalDigit().read(free[label]) < 5).double().mean()

    assert float(colours) == pytest.approx(0.8, abs=0.08)
    assert float(below) == pytest.approx(0.75 if label else 0.25, abs=0.1)


def test_fibers_of_erm_keep_the_colour_and_those_of_irm_do_not():
    data, prior = CausalMNIST(48), LabelledDigits()
    x, agrees = data.load(range(48)), {}
    for extractor in (ERM(), IRM()):
        problem = Problem(extractor, prior, x, extractor.features(x))
        drawn = MomentMatched().sample(problem, Noise(range(48))).data
        agrees[type(extractor)] = float((colour_of(drawn) == 0).double().mean())

    assert agrees[IRM] - agrees[ERM] > 0.3


def test_all_components_keep_their_contracts():
    x = CausalMNIST(12).load(range(12))

    assert check_dataset(CausalMNIST(12)) == []
    for extractor in (ERM(), IRM()):
        assert check_extractor(extractor, x) == []
    for attribute in (CausalColour(), CausalDigit()):
        assert check_attribute(attribute, x) == []
    assert check_prior(LabelledDigits(1), CausalMNIST(16, label=1, e=0.2).load(range(16))) == []
