"""A prior's own draws as queries: each is its own, whoever else is drawn."""

import pytest
import torch
from fiber_audit_data.prior_draws import PriorDraws

from fiber_audit import UsageError
from fiber_audit.sampling import BLOCK, Noise, derive_seed, unguided
from fiber_audit.testing import GaussianPrior, check_dataset

MEAN = torch.tensor([1.0, -2.0, 3.0])
COVARIANCE = torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 0.5]])


class Pictures(GaussianPrior):
    """States (12,) that are pictures (3, 2, 2), most of them out of range."""

    data_range = (0.0, 1.0)
    weights_sha256 = "ab" * 32

    def __init__(self):
        super().__init__(torch.zeros(12), torch.eye(12))

    def decode(self, state):
        return state.reshape(-1, 3, 2, 2)


def prior():
    return GaussianPrior(MEAN, COVARIANCE, "flow")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_it_keeps_the_contract():
    assert check_dataset(PriorDraws(prior(), n=10, steps=5)) == []
    assert check_dataset(PriorDraws(Pictures(), n=10, steps=5)) == []


def test_a_draw_is_the_prior_alone_with_a_generator_of_its_own():
    dataset = PriorDraws(prior(), n=3, steps=10, seed=7)
    for i in range(3):
        alone = unguided(prior(), Noise([derive_seed(7, "draw", i)]), 10)
        torch.testing.assert_close(dataset.load([i]), alone)


def test_a_draw_depends_on_seed_and_number_only():
    many = PriorDraws(prior(), n=30, steps=5)
    x = many.load(range(30))

    assert torch.equal(PriorDraws(prior(), n=19, steps=5).load([18, 3]), x[[18, 3]])
    assert not torch.equal(PriorDraws(prior(), n=1, steps=5, seed=1).load([0]), x[:1])
    assert many.ids[:2] == ("draw-0", "draw-1")
    assert many.load([]).shape == (0, 3)


def test_draws_are_made_when_they_are_asked_for_and_once():
    dataset = PriorDraws(prior(), n=1001, steps=5)  # the last block is drawn whole all the same
    drawn = []
    handle = dataset.prior.network.register_forward_hook(lambda _, a, __: drawn.append(len(a[0])))
    dataset.load([17, 18, 1000])
    assert sum(drawn) == 5 * 2 * BLOCK

    dataset.load([16, 23, 1000])
    assert sum(drawn) == 5 * 2 * BLOCK
    handle.remove()


def test_draws_follow_the_prior():
    x = PriorDraws(prior(), n=600, steps=30).load(range(600)).double()

    torch.testing.assert_close(x.mean(0), MEAN.double(), atol=0.15, rtol=0)  # 3.5 / sqrt(600)
    torch.testing.assert_close(torch.cov(x.T), COVARIANCE.double(), atol=0.2, rtol=0)


def test_draws_are_in_data_space_and_clamped():
    dataset = PriorDraws(Pictures(), n=20, steps=5)
    x = dataset.load(range(20))

    assert dataset.data_shape == (3, 2, 2)
    assert (x.min(), x.max()) == (0, 1)
    assert not x.requires_grad


def test_a_stamp_knows_the_prior_where_the_prior_knows_itself():
    assert PriorDraws(prior(), n=2, steps=5).stamp(0) == ""
    first, second = Pictures(), Pictures()
    second.weights_sha256 = "cd" * 32
    stamps = [PriorDraws(p, n=2, steps=5).stamp(i) for p in (first, second) for i in (0, 1)]

    assert len({*stamps}) == 4
    assert PriorDraws(Pictures(), n=9, steps=5).stamp(1) == stamps[1]


def test_reference_is_fresh_draws():
    dataset = PriorDraws(prior(), n=2, steps=5)
    fresh = dataset.reference(20, generator())

    assert torch.cdist(fresh, dataset.load([0, 1])).min() > 0
    assert torch.pdist(fresh).min() > 0


def test_more_steps_than_the_prior_was_trained_with_are_refused_at_once():
    with pytest.raises(UsageError, match="steps = 2000: this prior has 1000 training steps"):
        PriorDraws(GaussianPrior(MEAN, COVARIANCE, "vp"), steps=2000)
