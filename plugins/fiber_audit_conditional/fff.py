"""fff: a free-form flow, an encoder and a decoder that learn to be each other's inverse.

Source: Draxler, Sorrenson, Zimmermann, Rousselot, Köthe, "Free-form Flows: Make Any Architecture a
Normalizing Flow", AISTATS 2024, arXiv 2310.16624; conditioned, and with weights, as in Rousselot,
Wendebourg, Köthe, arXiv 2603.21782.

Notation (paper -> here)
    x          z                 what the paper calls data is a state here, flat, (n, size)
    c          h                 condition
    f(x; c)    encode(z, h)      f below, f' its Jacobian in z
    z          zeta              f(z), (n, latent)
    g(z; c)    decode(zeta, h)   g below, g' its Jacobian in zeta
    v          probe             (n, latent), E[v v^T] = I: uniform on a sphere
    SG[.]      detach()          no gradient passes
    beta       reconstruction_weight

Change of variables: -log p(z | h) = |f(z)|^2 / 2 - log|det f'(z)| + constant. The gradient of the
determinant in the weights of f needs the inverse of f', and the decoder's Jacobian stands for it:

    grad log|det f'| = tr((grad f') f'^-1)
                     = E[v^T (grad f') f'^-1 v] ~ grad v^T f'(z) SG[g'(zeta) v]

exactly so where g inverts f. One probe costs a forward-mode pass of the decoder (g' v) and a
reverse-mode pass of the encoder (v^T f'). The loss of a state:

    likelihood_weight (|f(z)|^2 / 2 - v^T f'(z) SG[g'(zeta) v])
        + reconstruction_weight |z - g(f(z))|

with the norm as it is, not squared as in 2310.16624. This is a loss by its gradient only: where g
inverts f its second term is `latent`, whatever the density. A network in eval mode therefore has
the determinant itself in its loss, so that held-out losses of two checkpoints can be compared.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import jacrev, jvp, vjp, vmap

from fiber_audit.contracts import Count, NonNegative, Positive

from .generator import Fresh, Generator, normal
from .residual_mlp import ResidualMLP
from .sampler import Conditional

LARGEST_JACOBIAN = 256
"""Size of a state up to which a held-out loss has the determinant itself: it costs size^2."""

Map = Callable[[Tensor], Tensor]


class Weights(NamedTuple):
    """Of the two terms of the loss."""

    likelihood: float
    reconstruction: float


class Autoencoder(Generator):
    """p(z | h) by an encoder to `latent` normal numbers and a decoder, of the same architecture.

    Both keep the first numbers and learn what to add: for latent = size they start as the identity.

    Args:
        state_shape: shape of a state; inside, states are flat.
        features: size of h.
        latent: size of zeta, at most that of a state.
        width: of the residual stream of both networks.
        blocks: of each network.
        weights: of the terms of the loss.
    """

    def __init__(
        self,
        state_shape: tuple[int, ...],
        features: int,
        latent: int,
        width: int,
        blocks: int,
        weights: Weights,
    ) -> None:
        super().__init__()
        self.state_shape, self.size = state_shape, math.prod(state_shape)
        self.latent, self.weights = latent, weights
        self.encoder = ResidualMLP(self.size, latent, features, width, blocks)
        self.network = ResidualMLP(latent, self.size, features, width, blocks)

    def encode(self, z: Tensor, h: Tensor) -> Tensor:
        """f: (n, size) -> (n, latent)."""
        return z[:, : self.latent] + self.encoder(z, h)

    def decode(self, zeta: Tensor, h: Tensor) -> Tensor:
        """g: (n, latent) -> (n, size)."""
        kept = torch.nn.functional.pad(zeta, (0, self.size - self.latent))
        return kept + self.network(zeta, h)

    def loss(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Tensor:
        """The loss of the head of this file, (n,); with the determinant itself in eval mode."""
        z = z.flatten(1)
        probe = on_sphere(normal(z[:, : self.latent], generator))
        zeta, again, volume = through(
            lambda z: self.encode(z, h), lambda zeta: self.decode(zeta, h), z, probe
        )
        if not self.training and self.size <= LARGEST_JACOBIAN:
            volume = log_volume(self.encode, z, h)
        likelihood, reconstruction = self.weights
        nll = zeta.square().sum(1) / 2 - volume
        return likelihood * nll + reconstruction * (z - again).norm(dim=1)

    def fresh(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Fresh:
        """Decoded noise."""
        zeta = torch.randn(len(h), self.latent, generator=generator, device=h.device)
        return Fresh(self.draw(zeta, h), torch.ones(len(h), device=h.device))

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """What the decoder starts from."""
        return (self.latent,)

    def draw(self, zeta: Tensor, h: Tensor) -> Tensor:
        """One pass of the decoder."""
        return self.decode(zeta, h).reshape(-1, *self.state_shape)


def through(encode: Map, decode: Map, z: Tensor, probe: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """There and back: f(z), g(f(z)) and v^T f'(z) SG[g'(f(z)) v], (n,)."""
    zeta, pull, *_ = vjp(encode, z)
    again, pushed, *_ = jvp(decode, (zeta,), (probe,))
    (pulled,) = pull(probe)
    return zeta, again, (pulled * pushed.detach()).sum(1)


def log_volume(encode: Callable[[Tensor, Tensor], Tensor], z: Tensor, h: Tensor) -> Tensor:
    """Half of log det(f' f'^T), (n,), which is log|det f'| where f keeps the dimension."""

    def one(z: Tensor, h: Tensor) -> Tensor:
        return encode(z[None], h[None])[0]

    jacobian = vmap(jacrev(one))(z, h)
    diagonal = torch.linalg.qr(jacobian.mT, mode="r").R.diagonal(dim1=1, dim2=2)
    return diagonal.abs().log().sum(1)


def on_sphere(v: Tensor) -> Tensor:
    """Directions (n, d) as probes: E[v v^T] = I like for normal v, of constant length."""
    return v * (math.sqrt(v.shape[1]) / v.norm(dim=1, keepdim=True))


@dataclass(frozen=True, kw_only=True)
class FreeFormFlow(Conditional):
    """A density by two free networks, one pass for a draw: an encoder and its approximate inverse.

    The paper's for Color MNIST: 3 blocks of width 512, batch 512, 250 epochs, learning_rate 1e-3.
    The narrower a fiber, the harder it is to learn the inverse: more jitter makes it wider.

    Args:
        blocks: residual blocks of each of the two networks.
        width: of both networks.
        likelihood_weight: of the negative log-likelihood.
        reconstruction_weight: of the reconstruction of a state by both networks.
    """

    blocks: Count = 3
    width: Count = 160
    learning_rate: Positive = 3e-3
    jitter: NonNegative = 0.05
    likelihood_weight: NonNegative = 1.0
    reconstruction_weight: Positive = 10.0

    def build(self, state_shape: tuple[int, ...], features: int) -> Generator:
        """The identity, at first."""
        weights = Weights(self.likelihood_weight, self.reconstruction_weight)
        size = math.prod(state_shape)
        return Autoencoder(state_shape, features, size, self.width, self.blocks, weights)
