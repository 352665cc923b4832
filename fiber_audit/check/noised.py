"""Real data under three amounts of noise, and what a prior makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..contracts import Prediction, Prior
from ..sampling import at
from ..schedule import Schedule
from .rewired import Place, numbers_seen

LEVELS = (0.3, 1.0, 3.0)
"""sigma / alpha, in spreads of the states: little noise, as much as there is data, and much."""
NUMBERS = 2**14
"""About so many numbers are denoised: a few large states, or small ones under noise and again."""
FEWEST = 4
"""Rows, however large."""
AT_ONCE = 2**17
"""Numbers that are predicted at once."""


@dataclass(frozen=True)
class Noised:
    """Clean states (n, *state_shape), n >= 2, which a prior is to find again under noise.

    All errors are RMS, in spreads of the states.
    """

    prior: Prior
    states: Tensor

    @cached_property
    def spread(self) -> float:
        """Standard deviation about the mean of each column, or of each channel of images."""
        return float(self.states.double().transpose(0, 1).flatten(1).var(dim=1).mean().sqrt())

    @cached_property
    def size(self) -> float:
        """RMS of the states."""
        return float(self.states.double().square().mean().sqrt())

    @cached_property
    def clean(self) -> Tensor:
        """Some of the states, each as often as it takes."""
        some = self.states[: max(FEWEST, NUMBERS // self.states[0].numel())]
        return some.repeat(max(1, NUMBERS // some.numel()), *[1] * (some.ndim - 1))

    @cached_property
    def noise(self) -> Tensor:
        """Standard normal, shaped like the clean states; the same at every call."""
        generator = torch.Generator().manual_seed(0)
        return torch.randn(self.clean.shape, generator=generator).to(self.clean)

    @cached_property
    def times(self) -> tuple[float, ...]:
        """When there is so much noise, for each level."""
        return tuple(self.time(level) for level in LEVELS)

    def time(self, level: float) -> float:
        """When the noise is so many spreads."""
        return time_of(self.prior.schedule, level * self.spread)

    @cached_property
    def shares(self) -> tuple[tuple[float, float], ...]:
        """Alpha and sigma at each level."""
        t, schedule = torch.tensor(self.times, dtype=torch.float64), self.prior.schedule
        return tuple(zip(schedule.alpha(t).tolist(), schedule.sigma(t).tolist(), strict=True))

    @cached_property
    def noisy(self) -> tuple[Tensor, ...]:
        """x_t at each level, shaped like the clean states."""
        return tuple(alpha * self.clean + sigma * self.noise for alpha, sigma in self.shares)

    @torch.no_grad()
    def predict(self, level: int) -> Prediction:
        """What the prior makes of x_t."""
        rows = max(1, AT_ONCE // self.clean[0].numel())
        t = torch.tensor(self.times[level])
        found = [self.prior.predict(x, at(t, x)) for x in self.noisy[level].split(rows)]
        return Prediction(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    @torch.no_grad()
    def glance(self, time: float) -> None:
        """Let the prior look at one state, to see what it does with its network."""
        x = self.clean[:1]
        self.prior.predict(x, at(torch.tensor(time), x))

    def numbers(self, time: float) -> dict[Place, float]:
        """What the network is told at a time, besides x_t."""
        with numbers_seen(self.prior.network) as seen:
            self.glance(time)
        return seen

    @cached_property
    def clock(self) -> frozenset[Place]:
        """The arguments of the network that tell the time."""
        first, last = self.numbers(self.times[0]), self.numbers(self.times[-1])
        return frozenset(place for place in first if first[place] != last.get(place))

    def error(self, found: Tensor) -> float:
        """Of an estimate of the clean states."""
        return float((found - self.clean).double().square().mean().sqrt()) / self.spread

    @cached_property
    def predictions(self) -> tuple[Prediction, ...]:
        """At each level."""
        return tuple(self.predict(level) for level in range(len(LEVELS)))

    @cached_property
    def errors(self) -> tuple[float, ...]:
        """Of the prior, at each level."""
        return tuple(self.error(prediction.x0) for prediction in self.predictions)


def time_of(schedule: Schedule, ratio: float) -> float:
    """The first time at which sigma / alpha is at least `ratio`, or 1."""
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        t = torch.tensor(middle, dtype=torch.float64)
        if float(schedule.sigma(t)) < ratio * float(schedule.alpha(t)):
            low = middle
        else:
            high = middle
    return high
