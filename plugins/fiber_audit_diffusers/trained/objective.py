"""What a network is asked for at a noisy state, and how its answer becomes a prediction.

Notation: x_t = alpha x_0 + sigma eps, as everywhere in fiber-audit; t = 1 is noise.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor

from fiber_audit.contracts import Prediction
from fiber_audit.sampling import FlowSchedule, Schedule, VPSchedule, over

SCALE = 1.5
"""Of the logistic-normal law of a flow's training times: flat, with tapered ends."""
EARLIEST = 1e-4
TRAINING_STEPS = 1000


class Objective(ABC):
    """A schedule, the law of the training times, and the target of the regression."""

    schedule: Schedule

    @abstractmethod
    def times(self, u: Tensor) -> Tensor:
        """Training times (n,) in (0, 1] from uniform numbers u (n,) in (0, 1)."""

    @abstractmethod
    def network_time(self, t: Tensor) -> Tensor:
        """What the network is told of t: a number from 0 to 1,000."""

    @abstractmethod
    def shares(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha(t) and sigma(t), float32, without a copy from the host in a step."""

    @abstractmethod
    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """What the network should answer."""

    @abstractmethod
    def prediction(self, output: Tensor, x_t: Tensor, t: Tensor) -> Prediction:
        """The network's answer at (x_t, t) as E[x_0 | x_t] and E[eps | x_t]."""

    @abstractmethod
    def scheduler(self) -> Any:
        """The scheduler of diffusers that reads the network in the same way."""


class Flow(Objective):
    """Flow matching on straight paths: the network answers the velocity v = eps - x_0.

    Lipman et al., ICLR 2023; times by a logistic-normal law, after Esser et al., ICML 2024.
    """

    def __init__(self) -> None:
        self.schedule = FlowSchedule()

    def times(self, u: Tensor) -> Tensor:
        """Sigmoid of SCALE times a standard normal number."""
        return (SCALE * math.sqrt(2) * torch.erfinv(2 * u - 1)).sigmoid().clamp(min=EARLIEST)

    def network_time(self, t: Tensor) -> Tensor:
        """1,000 t, as the flow models of diffusers have it."""
        return TRAINING_STEPS * t

    def shares(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """1 - t and t."""
        return 1 - t, t

    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """The velocity."""
        return eps - x0

    def prediction(self, output: Tensor, x_t: Tensor, t: Tensor) -> Prediction:
        """x0 = x_t - t v, eps = x_t + (1 - t) v."""
        t = over(t, x_t)
        return Prediction(x_t - t * output, x_t + (1 - t) * output)

    def scheduler(self) -> Any:
        """Euler's method with no shift."""
        from diffusers import FlowMatchEulerDiscreteScheduler

        return FlowMatchEulerDiscreteScheduler(num_train_timesteps=TRAINING_STEPS, shift=1.0)


class Diffusion(Objective):
    """A variance-preserving diffusion of 1,000 steps (DDPM, Ho et al., NeurIPS 2020).

    The network answers eps, or v = alpha eps - sigma x_0 (Salimans and Ho, ICLR 2022).
    """

    def __init__(self, prediction: Literal["v", "eps"], noise: Literal["cosine", "linear"]) -> None:
        self.kind, self.noise = prediction, noise
        self.schedule = self._vp = VPSchedule(self.scheduler().alphas_cumprod)
        self._tables: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def times(self, u: Tensor) -> Tensor:
        """Uniform on the training steps."""
        return (u * TRAINING_STEPS).floor().clamp(max=TRAINING_STEPS - 1).add(1) / TRAINING_STEPS

    def network_time(self, t: Tensor) -> Tensor:
        """The index of the training step."""
        return self._vp.index(t)

    def shares(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """From tables that stay where t is."""
        if t.device not in self._tables:
            grid = torch.arange(TRAINING_STEPS + 1, dtype=torch.float64) / TRAINING_STEPS
            alpha, sigma = self.schedule.alpha(grid), self.schedule.sigma(grid)
            self._tables[t.device] = (alpha.float().to(t.device), sigma.float().to(t.device))
        alpha, sigma = self._tables[t.device]
        index = self._vp.index(t) + 1
        return alpha[index], sigma[index]

    def target(self, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """eps, or v."""
        return eps if self.kind == "eps" else alpha * eps - sigma * x0

    def prediction(self, output: Tensor, x_t: Tensor, t: Tensor) -> Prediction:
        """From v: x0 = alpha x_t - sigma v, eps = sigma x_t + alpha v."""
        alpha, sigma = (over(share, x_t) for share in self.shares(t))
        if self.kind == "eps":
            return Prediction((x_t - sigma * output) / alpha, output)
        return Prediction(alpha * x_t - sigma * output, sigma * x_t + alpha * output)

    def scheduler(self) -> Any:
        """DDPM with the same betas and prediction type."""
        from diffusers import DDPMScheduler

        return DDPMScheduler(
            num_train_timesteps=TRAINING_STEPS,
            beta_schedule="squaredcos_cap_v2" if self.noise == "cosine" else "linear",
            prediction_type="v_prediction" if self.kind == "v" else "epsilon",
        )
