"""Free-form flow: an encoder and a decoder that learn to be each other's inverse.

Source: Draxler, Sorrenson, Zimmermann, Rousselot, Köthe, "Free-form Flows: Make Any Architecture a
Normalizing Flow", AISTATS 2024, arXiv 2310.16624; conditional, with the weights of Rousselot,
Wendebourg, Köthe, arXiv 2603.21782, for Color MNIST.

Notation            here
    x -> z          z -> zeta: what the paper calls data is here a state of the prior
    f(x; c)         encoder(z, h), f below; f' its Jacobian in z
    g(z; c)         decoder(zeta, h), g below; g' its Jacobian in zeta
    v               probe, (n, latent), E[v v^T] = I: uniform on the sphere of radius sqrt(latent)
    sg[.]           no gradient passes

By change of variables -log p(z | h) = ||f(z)||^2 / 2 - log|det f'(z)| + constant. The gradient of
the determinant in the weights of f is

    grad log|det f'| = tr((grad f') f'^-1) = E[v^T (grad f') f'^-1 v] ~ grad v^T f' sg[g'(f(z)) v]

where the inverse is the decoder's Jacobian, exactly so where the decoder inverts the encoder. One
probe costs one forward-mode pass of the decoder (g' v) and one reverse-mode pass of the encoder
(v^T f'). The loss of a state, with the paper's weights as defaults:

    nll (||f(z)||^2 / 2 - v^T f'(z) sg[g'(f(z)) v]) + reconstruction ||z - g(f(z))||

The norm is not squared. Only its gradient means something: the second term is about `latent`
whatever the density. In eval mode the loss is therefore the thing itself, with the exact
determinant in place of the probe (`latent` reverse passes of the encoder): held-out losses of two
checkpoints can be compared.
"""

import math

import torch
from torch import Tensor, nn
from torch.func import jacrev, jvp, vjp, vmap

from .generator import Fresh, Generator, normal
from .residual_mlp import ResidualMLP


class Autoencoder(Generator):
    """An encoder and a decoder, trained as a flow from states to `latent` numbers, and back.

    Where `latent` is the size of a state, both start as the identity and learn what to add to it.

    Args:
        state_shape: shape of z without the batch; inside, states are flat.
        features: size of h.
        latent: size of zeta.
        width: of both networks.
        blocks: of both networks.
        likelihood: weight of the negative log-likelihood.
        reconstruction: weight of the reconstruction.
    """

    def __init__(
        self,
        state_shape: tuple[int, ...],
        features: int,
        latent: int,
        width: int,
        blocks: int,
        likelihood: float,
        reconstruction: float,
    ) -> None:
        super().__init__()
        size = math.prod(state_shape)
        self.state_shape, self.latent = state_shape, latent
        self.likelihood, self.reconstruction = likelihood, reconstruction
        self.encoder = ResidualMLP(size, latent, features, width, blocks)
        self.network = ResidualMLP(latent, size, features, width, blocks)

    def encode(self, z: Tensor, h: Tensor) -> Tensor:
        """f: flat states (n, size) -> (n, latent)."""
        added = self.encoder(z, h)
        return z + added if self.bijective else added

    def decode(self, zeta: Tensor, h: Tensor) -> Tensor:
        """g: (n, latent) -> flat states (n, size)."""
        added = self.network(zeta, h)
        return zeta + added if self.bijective else added
