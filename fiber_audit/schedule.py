"""Noise schedules, and the one step that serves diffusion and flow matching.

Notation: x_t = alpha(t) x_0 + sigma(t) eps, with t = 0 data and t = 1 noise.
abar = alpha^2 is the cumulative product of a variance-preserving (VP) diffusion.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from .errors import UsageError


class Schedule(ABC):
    """alpha(t), sigma(t) for times t (any shape, float) in [0, 1]; alpha(0) = 1, sigma(0) = 0."""

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor:
        """Share of data in x_t, shaped like t."""

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """Share of noise in x_t, shaped like t."""

    def times(self, steps: int, power: float = 1.0) -> Tensor:
        """The grid of a trajectory: (steps + 1,) float64, decreasing from the noisiest time to 0.

        power > 1 puts more of the grid near t = 0.
        """
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** power


class FlowSchedule(Schedule):
    """Flow matching on straight paths: alpha = 1 - t, sigma = t."""

    def alpha(self, t: Tensor) -> Tensor:
        """1 - t."""
        return 1 - t

    def sigma(self, t: Tensor) -> Tensor:
        """The time itself."""
        return t


class VPSchedule(Schedule):
    """A discrete VP diffusion of K training steps: index k is time (k + 1) / K; time 0 is clean.

    alphas_cumprod: (K,), as in a diffusers scheduler. Times off the grid are rounded to it.
    """

    def __init__(self, alphas_cumprod: Tensor) -> None:
        abar = torch.cat([torch.ones(1, dtype=torch.float64), alphas_cumprod.double()])
        self._alpha, self._sigma = abar.sqrt(), (1 - abar).sqrt()
        self.training_steps = len(alphas_cumprod)

    def index(self, t: Tensor) -> Tensor:
        """Time -> index k of the training schedule, int64; -1 is clean data."""
        return (t * self.training_steps).round().long().clamp(0, self.training_steps) - 1

    def alpha(self, t: Tensor) -> Tensor:
        """sqrt(abar)."""
        return self._alpha.to(t.device)[self.index(t) + 1].to(t.dtype)

    def sigma(self, t: Tensor) -> Tensor:
        """sqrt(1 - abar)."""
        return self._sigma.to(t.device)[self.index(t) + 1].to(t.dtype)

    def times(self, steps: int, power: float = 1.0) -> Tensor:
        """The grid on training indices: floor(K k / steps) for power 1, as in NDTM and DDIM.

        Its noisiest index is floor(K (steps - 1) / steps). A power other than 1 starts at K - 1.

        Raises:
            UsageError: more than K steps.
        """
        count = self.training_steps
        if steps > count:
            raise UsageError(f"steps = {steps}: this prior has {count} training steps; use fewer.")
        if power == 1.0:
            indices = torch.arange(steps - 1, -1, -1) * count // steps
        else:
            u = torch.linspace(1, 0, steps + 1, dtype=torch.float64)[:-1] ** power
            indices = (u * count).round().long() - 1
            room = torch.arange(steps - 1, -1, -1)  # keep the indices distinct near zero
            indices = torch.maximum(indices, room)
        return torch.cat([(indices + 1).double() / count, torch.zeros(1, dtype=torch.float64)])


def over(values: Tensor, like: Tensor) -> Tensor:
    """Per-draw values (n,) or a scalar, shaped and typed to multiply a batch (n, ...)."""
    values = values.to(like)
    return values.reshape(-1, *[1] * (like.ndim - 1)) if values.ndim else values


def noise_of(schedule: Schedule, x_t: Tensor, x0: Tensor, t: Tensor) -> Tensor:
    """The eps that takes x0 to x_t: (x_t - alpha x0) / sigma. Recompute it after clipping x0."""
    return (x_t - over(schedule.alpha(t), x_t) * x0) / over(schedule.sigma(t), x_t)


def step(
    schedule: Schedule,
    x0: Tensor,
    eps: Tensor,
    t: Tensor,
    s: Tensor,
    eta: float = 0.0,
    z: Tensor | None = None,
) -> Tensor:
    """From time t to the less noisy s: x_s = alpha_s x0 + sqrt(sigma_s^2 - c1^2) eps + c1 z.

    c1 = eta sigma_s sqrt(1 - (sigma_s alpha_t / (alpha_s sigma_t))^2). On a VP schedule eta = 0 is
    DDIM and eta = 1 is DDPM's posterior (Song et al., ICLR 2021, Eq. 12 and 16); on a flow
    schedule eta = 0 is the Euler step. t and s are scalars or (n,); z is standard normal.

    >>> flow = FlowSchedule()
    >>> x1, velocity = torch.tensor([[2.0]]), torch.tensor([[3.0]])   # at t = 1, x_t = eps
    >>> t, s = torch.tensor(1.0), torch.tensor(0.75)
    >>> step(flow, x1 - velocity, x1, t, s)          # x - 0.25 v
    tensor([[1.2500]])
    """
    a_s, s_s = schedule.alpha(s), schedule.sigma(s)
    if eta == 0.0 or z is None:
        return over(a_s, x0) * x0 + over(s_s, x0) * eps
    ratio = s_s * schedule.alpha(t) / (a_s * schedule.sigma(t))
    c1 = eta * s_s * (1 - ratio.square()).clamp(min=0).sqrt()
    direction = (s_s.square() - c1.square()).clamp(min=0).sqrt()
    return over(a_s, x0) * x0 + over(direction, x0) * eps + over(c1, x0) * z
