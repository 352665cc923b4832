"""Units of the generators: states and features with mean 0 and standard deviation about 1."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fiber_audit.contracts import Extractor, Prior, data_of
from fiber_audit.fitting import Corpus

FARTHEST = 10.0
"""Standard deviations up to which a generator is told of a feature."""
RESIDUE = 1e-6
"""Of the largest deviation: a feature or coordinate that varies less is a constant."""


class Standard(nn.Module):
    """Mean and deviation of states (each coordinate; of images each channel) and of features.

    unit: root mean variance of a feature, what a fiber loss is measured in.
    """

    state_mean: Tensor
    state_std: Tensor
    feature_mean: Tensor
    feature_std: Tensor
    unit: Tensor

    def __init__(self, state_shape: tuple[int, ...], features: int) -> None:
        super().__init__()
        shape = (state_shape[0], 1, 1) if len(state_shape) == 3 else state_shape
        self.register_buffer("state_mean", torch.zeros(shape))
        self.register_buffer("state_std", torch.ones(shape))
        self.register_buffer("feature_mean", torch.zeros(features))
        self.register_buffer("feature_std", torch.ones(features))
        self.register_buffer("unit", torch.ones(()))

    def measure(self, states: Corpus, features: Corpus) -> None:
        """Learn them from the training rows, in float64."""
        images = self.state_mean.ndim == 3
        mean, variance = _moments(states, (0, 2, 3) if images else (0,))
        self._set("state", mean, variance)
        mean, variance = _moments(features, (0,))
        self._set("feature", mean, variance)
        self.unit.copy_(variance.mean().sqrt().clamp(min=torch.finfo(torch.float32).tiny))

    def _set(self, part: str, mean: Tensor, variance: Tensor) -> None:
        std = variance.sqrt()
        std = torch.where(std > RESIDUE * std.max(), std, 1.0)
        own: Tensor = getattr(self, f"{part}_mean")
        own.copy_(mean.reshape(own.shape))
        getattr(self, f"{part}_std").copy_(std.reshape(own.shape))

    def from_state(self, state: Tensor) -> Tensor:
        """States of the prior (n, *state_shape) -> z."""
        return (state - self.state_mean) / self.state_std

    def to_state(self, z: Tensor) -> Tensor:
        """The states (n, *state_shape) of z."""
        return z * self.state_std + self.state_mean

    def condition(self, features: Tensor) -> Tensor:
        """Features (n, d) -> h, cut off at FARTHEST."""
        return ((features - self.feature_mean) / self.feature_std).clamp(-FARTHEST, FARTHEST)

    def features_of(self, extractor: Extractor, prior: Prior) -> Callable[[Tensor], Tensor]:
        """The map from z to its own h, through the prior's decoder."""
        return lambda z: self.condition(extractor.features(data_of(prior, self.to_state(z))))


def _moments(corpus: Corpus, along: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and variance over these dimensions of all training rows, float64."""
    center, count, total, square = None, 0, torch.zeros(()), torch.zeros(())
    for part in corpus.chunks(corpus.training):
        rows = part.cpu().double()
        if center is None:  # shifted sums: no digits are lost where the mean is large
            center = rows.mean(along, keepdim=True)
        rows = rows - center
        total, square = total + rows.sum(along), square + rows.square().sum(along)
        count += rows.numel() // total.numel()
    assert center is not None
    mean = total / count
    return mean + center.reshape(mean.shape), (square / count - mean.square()).clamp(min=0)
