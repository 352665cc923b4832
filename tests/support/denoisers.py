"""Small generators that walk, as `fit` builds them."""

import pytest
import torch
from fiber_audit_conditional.cond_diffusion import ConditionalDiffusion
from fiber_audit_conditional.cond_flow import ConditionalFlow

BOTH = pytest.mark.parametrize("kind", [ConditionalDiffusion, ConditionalFlow])
SHAPES = pytest.mark.parametrize("shape", [(6,), (2, 8, 8)], ids=["flat", "image"])


def numbers(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=numbers(seed))


def built(sampler, shape=(6,), features=3, stirred=0.0):
    """A generator as `fit` builds it; stirred as if it had learned something."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = sampler.build(shape, features)
    source = numbers(1)
    with torch.no_grad():
        for weight in generator.parameters():
            weight += stirred * torch.randn(weight.shape, generator=source)
    return generator
