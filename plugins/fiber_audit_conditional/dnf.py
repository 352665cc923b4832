"""dnf: a denoising flow, which puts what the features decide aside and drops it when it draws.

    (core, details) = f(z; h)        the details are as many as there are features
    zeta = (g(core; details, h), details)
    G(zeta; h) = f^-1((core, 0); h)  core = g^-1(zeta_core; zeta_details, h)

The states that a set of features leaves possible are close to a manifold of few dimensions. Noise
on z (option jitter) gives it a thickness, the likelihood sends the thickness to the details, and
a reconstruction without them teaches f^-1 to come back to the manifold:

    loss = -log p(z | h) + w |z - f^-1((core, 0); h)|

Two choices are ours, where the source leaves room. The details of a draw are drawn, since the core
is conditioned on them, and then zeroed like those of the reconstruction: a draw has the law of a
reconstructed state. The reconstruction aims at z with its noise, as the likelihood does: what noise
the features and the core cannot know is averaged away. h is read by every coupling of f and g,
standardised and as it is.

Source: Horvat and Pfister, "Denoising Normalizing Flow", NeurIPS 2021; in the form of Rousselot,
Wendebourg, Köthe, arXiv 2603.21782: blocks = 20 in each, width = 512, details = 48 of 54,
jitter = 0.01, learning_rate = 2e-3, batch = 512, 100 epochs. Images are flattened.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fiber_audit.contracts import Count, NonNegative, NonNegativeInt, Positive

from .coupling import Flow, all_in_one, split_of
from .generator import Generator
from .nf import FlowGenerator
from .sampler import Conditional


class CoreAndDetails(nn.Module):
    """f, then g on the core; backwards the details are dropped between g and f.

    Args:
        f: states to (core, details), given h.
        g: core to noise, given (details, h).
        core: how many dimensions the core has.
    """

    def __init__(self, f: Flow, g: Flow, core: int) -> None:
        super().__init__()
        self.f, self.g = f, g
        self.core = core

    def forward(self, z: Tensor, h: Tensor, backwards: bool = False) -> tuple[Tensor, Tensor]:
        """(n, size) -> the other side and log |det| of the steps taken, (n,)."""
        if not backwards:
            y, j_f = self.f(z, h)
            core, details = self.parts(y)
            noise, j_g = self.g(core, torch.cat([details, h], 1))
            return torch.cat([noise, details], 1), j_f + j_g
        noise, details = self.parts(z)
        core, j_g = self.g(noise, torch.cat([details, h], 1), backwards=True)
        clean = torch.cat([core, torch.zeros_like(details)], 1)
        state, j_f = self.f(clean, h, backwards=True)
        return state, j_f + j_g

    def parts(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The core and the details."""
        return y[:, : self.core], y[:, self.core :]


class DenoisingGenerator(FlowGenerator):
    """p(z | h) of the noisy states, and draws without their noise.

    Args:
        network: see `CoreAndDetails`.
        state_shape: shape of one state.
        weight: w, how much the reconstruction counts beside the likelihood in nats.
    """

    def __init__(self, network: nn.Module, state_shape: tuple[int, ...], weight: float) -> None:
        super().__init__(network, state_shape)
        self.weight = weight

    def loss(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Tensor:
        """Likelihood and reconstruction: what z would be if its own noise were drawn."""
        zeta, log_det = self.network(z.flatten(1), h)
        lost = (z - self.draw(zeta, h)).flatten(1).norm(dim=1)
        return zeta.square().sum(1) / 2 - log_det + self.weight * lost


@dataclass(frozen=True, kw_only=True)
class DenoisingFlow(Conditional):
    """A flow that sets the dimensions decided by the features aside, and drops them when it draws.

    Args:
        blocks: coupling blocks of each of its two flows.
        width: width of the hidden layer of each block's subnetwork.
        details: dimensions dropped, fewer than a state has; 0 takes as many as there are features,
            but leaves one in nine.
        reconstruction_weight: weight of the distance between a state and its reconstruction.
    """

    blocks: Count = 8
    width: Count = 256
    details: NonNegativeInt = 0
    reconstruction_weight: NonNegative = 10.0
    learning_rate: Positive = 3e-3
    clip_norm: Positive = 3.0

    def build(self, state_shape: tuple[int, ...], features: int) -> Generator:
        """Both flows, at first rotations."""
        size = math.prod(state_shape)
        details = split_of(self.details, size, features, "details")
        core = size - details
        f = all_in_one(size, features, self.blocks, self.width)
        g = all_in_one(core, details + features, self.blocks, self.width)
        return DenoisingGenerator(
            CoreAndDetails(f, g, core), state_shape, self.reconstruction_weight
        )
