"""Noise schedules beyond the host's two: a shifted flow, a trailing grid, and exploding noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fiber_audit.sampling import FlowSchedule, Schedule, VPSchedule

FIRST = 1e-3
"""The time of the smallest noise that a network with exploding noise was trained on."""


class ShiftedFlow(FlowSchedule):
    """Straight paths on a grid shifted towards noise: u -> shift u / (1 + (shift - 1) u).

    Source: Esser et al., "Scaling Rectified Flow Transformers", ICML 2024, Eq. 23. The shift of
    FLUX's pipeline is exp(mu), mu growing with the number of tokens.
    """

    def __init__(self, shift: float = 1.0) -> None:
        self.shift = shift

    def times(self, steps: int, power: float = 1.0) -> Tensor:
        """The even grid (or its power), shifted."""
        u = super().times(steps, power)
        return self.shift * u / (1 + (self.shift - 1) * u)


class TrailingVP(VPSchedule):
    """A VP diffusion whose grid starts at the last training step, as zero terminal SNR asks for.

    Source: Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed", WACV 2024.
    """

    def times(self, steps: int, power: float = 1.0) -> Tensor:
        """The grid on training indices round(K k / steps) - 1, k = steps .. 1."""
        times = super().times(steps, power)
        if power == 1.0:
            count = self.training_steps
            kept = (torch.arange(steps, 0, -1).double() * count / steps).round() / count
            times = torch.cat([kept, times[-1:]])
        return times


class ExplodingVE(Schedule):
    """Noise of level s in [low, high] added to data (VE, EDM), rescaled to preserve variance.

    A network of this kind sees y = x_0 + s eps. The state is x_t = y / sqrt(1 + s^2), so that

        alpha = 1 / sqrt(1 + s^2)        sigma = s / sqrt(1 + s^2)

    The path from noise to data is the same, step for step, and so is E[x_0 | x_t]; but a state has
    the size of a VP state at every t, and samplers whose strength is a length in x_t (NDTM's
    controls, DPS's steps) mean the same by it as for any other prior.

    Levels rise with t from low at t = FIRST to high at t = 1: evenly in s^(1/rho) (Karras et al.,
    NeurIPS 2022, Eq. 5), or in log s where rho = 0. Below FIRST they fall evenly to 0.
    """

    def __init__(self, low: float, high: float, rho: float = 7.0) -> None:
        self.low, self.high, self.rho = low, high, rho

    def level(self, t: Tensor) -> Tensor:
        """Time -> s, shaped like t, in its type."""
        u = ((t.double() - FIRST) / (1 - FIRST)).clamp(0, 1)
        if self.rho:
            ends = self.low ** (1 / self.rho), self.high ** (1 / self.rho)
            s = (ends[0] + u * (ends[1] - ends[0])) ** self.rho
        else:
            s = (math.log(self.low) + u * math.log(self.high / self.low)).exp()
        return torch.where(t < FIRST, self.low * t.double() / FIRST, s).to(t.dtype)

    def alpha(self, t: Tensor) -> Tensor:
        """1 / sqrt(1 + s^2)."""
        return (1 + self.level(t).square()).rsqrt()

    def sigma(self, t: Tensor) -> Tensor:
        """Of s: s / sqrt(1 + s^2)."""
        s = self.level(t)
        return s * (1 + s.square()).rsqrt()

    def times(self, steps: int, power: float = 1.0) -> Tensor:
        """Levels from high to low, evenly in time (or its power), then 0: the grid of EDM."""
        u = torch.linspace(1, 0, steps, dtype=torch.float64) ** power
        return torch.cat([FIRST + (1 - FIRST) * u, torch.zeros(1, dtype=torch.float64)])
