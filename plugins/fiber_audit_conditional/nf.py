"""nf: a normalising flow on states, conditioned on the features.

    zeta = f(z; h),    log p(z | h) = log N(zeta; 0, I) + log |det df/dz|,    G = f^-1

f is a chain of affine coupling blocks whose subnetworks read h, standardised and as it is, beside
the half of the state that they leave alone. The density is exact, and so is its inverse, through
which the fiber loss goes.

Source: Rousselot, Wendebourg, Köthe, arXiv 2603.21782, whose flow has blocks = 40, width = 512,
learning_rate = 2e-3 and batch = 512, and trains 250 epochs. Images are flattened.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fiber_audit.contracts import Count, Positive

from .coupling import all_in_one
from .generator import Fresh, Generator, normal
from .sampler import Conditional


class FlowGenerator(Generator):
    """p(z | h) by a change of variables.

    Args:
        network: (z, h) -> (zeta, log det), and (zeta, h, backwards=True) -> (z, log det), all flat.
        state_shape: shape of one state.
    """

    def __init__(self, network: nn.Module, state_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.network = network
        self.state_shape = state_shape
        self.size = math.prod(state_shape)

    def loss(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Tensor:
        """-log p(z | h) in nats, without the constant of the normal density."""
        zeta, log_det = self.network(z.flatten(1), h)
        return zeta.square().sum(1) / 2 - log_det

    def fresh(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Fresh:
        """Draws: the inverse is differentiable."""
        zeta = normal(z.flatten(1), generator)
        return Fresh(self.draw(zeta, h), torch.ones(len(h), device=h.device))

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """As large as a state, flat."""
        return (self.size,)

    def draw(self, zeta: Tensor, h: Tensor) -> Tensor:
        """One pass backwards."""
        z, _ = self.network(zeta, h, backwards=True)
        return z.reshape(-1, *self.state_shape)


@dataclass(frozen=True, kw_only=True)
class NormalisingFlow(Conditional):
    """An exact density: a chain of coupling blocks from states to noise, conditioned on features.

    Args:
        blocks: coupling blocks.
        width: width of the hidden layer of each block's subnetwork.
    """

    blocks: Count = 12
    width: Count = 256
    learning_rate: Positive = 3e-3
    clip_norm: Positive = 3.0

    def build(self, state_shape: tuple[int, ...], features: int) -> Generator:
        """The flow, at first a rotation."""
        network = all_in_one(math.prod(state_shape), features, self.blocks, self.width)
        return FlowGenerator(network, state_shape)
