"""rombach-cinn: an autoencoder's states made independent of the features, and back.

    zeta = t(z; e(h)),    log p(z | h) = log N(zeta; 0, I) + log |det dt/dz|,    G = t^-1

t is a chain of blocks of ActNorm, affine coupling of both halves in turn, and a shuffle; their
subnetworks read the embedding e(h), by a multilayer perceptron that is trained with them. The
density is the whole loss; the fiber loss came later, and is an option like any other's.

Source: Rombach, Esser, Ommer, "Making Sense of CNNs: Interpreting Deep Representations & Their
Invariances with INNs", ECCV 2020: blocks = 20, width = 1024, learning_rate = 4.5e-6, batch = 16 and
250,000 steps, on 128-d states of a BigGAN-like autoencoder. Images are flattened.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fiber_audit.contracts import Count, NonNegative, Positive

from .coupling import Flow, activate, glow, perceptron
from .generator import Generator
from .nf import FlowGenerator
from .sampler import Conditional


class Embedded(nn.Module):
    """A flow whose condition goes through an embedding of its own."""

    def __init__(self, flow: Flow, embedding: nn.Module) -> None:
        super().__init__()
        self.flow, self.embedding = flow, embedding

    def forward(self, z: Tensor, h: Tensor, backwards: bool = False) -> tuple[Tensor, Tensor]:
        """(n, size) -> the other side and log |det| of the step taken, (n,)."""
        return self.flow(z, self.embedding(h), backwards)


class CINN(FlowGenerator):
    """p(z | h) by the conditional invertible network t."""

    network: Embedded

    def prepare(self, z: Tensor, h: Tensor) -> None:
        """Let every ActNorm see some data."""
        with torch.no_grad():
            activate(self.network.flow, z.flatten(1), self.network.embedding(h))


@dataclass(frozen=True, kw_only=True)
class RombachCINN(Conditional):
    """Rombach et al.'s conditional invertible network; no fiber loss by default, as they had none.

    Args:
        blocks: blocks of ActNorm, coupling and shuffle.
        width: width of the two hidden layers of each coupling's subnetworks.
        embedding: dimensions that the features are embedded in.
    """

    blocks: Count = 6
    width: Count = 128
    embedding: Count = 64
    fiber_weight: NonNegative = 0.0
    clip_norm: Positive = 3.0

    def build(self, state_shape: tuple[int, ...], features: int) -> Generator:
        """The flow, at first a shuffle, and the embedding."""
        flow = glow(math.prod(state_shape), self.embedding, self.blocks, self.width)
        embedding = perceptron(features, self.width, 2, self.embedding)
        return CINN(Embedded(flow, embedding), state_shape)
