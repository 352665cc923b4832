"""What every conditional generator is: a density of states given features, that can be drawn from.

Notation, in all files of this plugin

    h      features that a draw should have, (n, d), standardised
    z      a state of the prior whose autoencoder is used, (n, *state_shape), standardised
    zeta   standard normal noise, as large as what the generator starts from
    G      zeta, h -> z
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fiber_audit.sampling import Noise, by_blocks


class Fresh(NamedTuple):
    """States that the fiber loss looks at, differentiable in the generator's weights.

    z: (n, *state_shape), row i for condition i. weight: (n,), how much each counts, 1 by default.
    """

    z: Tensor
    weight: Tensor


class Generator(nn.Module, ABC):
    """p(z | h). Made by the `build` of its sampler; holds neither extractor nor autoencoder."""

    network: nn.Module
    """Called exactly once per evaluation of a row: a hook on it counts evaluations."""

    @abstractmethod
    def loss(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Tensor:
        """The density's loss at data, (n,), per sample; no fiber loss in it."""

    @abstractmethod
    def fresh(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Fresh:
        """Draws, or what stands for them in training, for the fiber loss of these conditions."""

    @property
    @abstractmethod
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of zeta, without the rows."""

    @abstractmethod
    def draw(self, zeta: Tensor, h: Tensor) -> Tensor:
        """G: (n, *noise_shape) and (n, features) -> (n, *state_shape)."""

    def sample(self, h: Tensor, noise: Noise) -> Tensor:
        """One state per row, (n, *state_shape), from one generator per row of the noise."""
        return by_blocks(self.draw, noise.normal(self.noise_shape, like=h), h)

    def meet(self, features_of: Callable[[Tensor], Tensor]) -> None:
        """Be given the map from z to its own h; by default nothing is done with it."""

    def begin(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the weights of another fit, by name.

        Raises:
            RuntimeError: they are of another network.
        """
        self.load_state_dict(dict(weights))

    def prepare(self, z: Tensor, h: Tensor) -> None:
        """See some training data before the first step; by default nothing is learned from it."""


def normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers, shaped and placed like a tensor."""
    return torch.randn(like.shape, generator=generator, device=like.device)
