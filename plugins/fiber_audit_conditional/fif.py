"""fif: a free-form injective flow, the free-form flow of a surface in the space of states.

Source: Sorrenson, Draxler, Rousselot, Hummerich, Zimmermann, Köthe, "Lifting Architectural
Constraints of Injective Flows", ICLR 2024, arXiv 2306.01843; conditioned, and with weights, as in
Rousselot, Wendebourg, Köthe, arXiv 2603.21782.

Notation as in `fff.py`, with latent < size: f projects states to `latent` numbers, g puts the
surface of the states into their space. Where g' is the pseudo-inverse of f', the density on the
surface is -log p(z | h) = |f(z)|^2 / 2 - log det(f' f'^T) / 2 + constant, and

    grad log det(f' f'^T) / 2 = tr((grad f') f'^+) ~ grad v^T f'(z) SG[g'(f(z)) v]

so that the loss reads as that of `fff.py`. f' is taken at the state and not at its projection
g(f(z)) onto the surface, which is the paper's remedy for a likelihood that grows without bounds
with the surface's curvature.

A draw is on the surface: what a state has beside `latent` numbers and h is lost.
"""

import math
from dataclasses import dataclass

from fiber_audit import UsageError
from fiber_audit.contracts import Count, NonNegative, Positive

from .fff import Autoencoder, Weights
from .generator import Generator
from .sampler import Conditional


@dataclass(frozen=True, kw_only=True)
class FreeFormInjectiveFlow(Conditional):
    """A fiber of few dimensions by two free networks, one pass for a draw.

    The paper's for Color MNIST: 3 blocks of width 512, batch 512, 250 epochs, learning_rate 1e-3.

    Args:
        latent: dimensions of a fiber: 3 for the colours of Color MNIST.
        blocks: residual blocks of each of the two networks.
        width: of both networks.
        likelihood_weight: of the negative log-likelihood.
        reconstruction_weight: of the reconstruction of a state by both networks.
    """

    latent: Count = 3
    blocks: Count = 3
    width: Count = 160
    learning_rate: Positive = 3e-3
    likelihood_weight: NonNegative = 1.0
    reconstruction_weight: Positive = 10.0

    def build(self, state_shape: tuple[int, ...], features: int) -> Generator:
        """A projection onto the first coordinates, at first.

        Raises:
            UsageError: latent is not below the size of a state.
        """
        if not self.latent < math.prod(state_shape):
            raise UsageError(
                f"sampler.latent = {self.latent}: a state has {math.prod(state_shape)} numbers, "
                "and a fiber in them has fewer dimensions; choose less, or the sampler fff."
            )
        weights = Weights(self.likelihood_weight, self.reconstruction_weight)
        return Autoencoder(state_shape, features, self.latent, self.width, self.blocks, weights)
