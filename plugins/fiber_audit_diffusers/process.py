"""What a network was trained on: which noise, what it is handed, and what its output means.

y, k = seen(x_t, t)        what the network sees: its input, and the time in its own words
F    = network(y, k)
x0, eps = prediction(F, x_t, t)        with x_t = alpha x0 + sigma eps
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from fiber_audit.contracts import Prediction
from fiber_audit.sampling import Schedule, VPSchedule, noise_of, over

from .schedules import ExplodingVE, ShiftedFlow


class Process(ABC):
    """The three agreements between a network and its schedule; tensors are float32."""

    schedule: Schedule
    name: str
    """For people, and part of a prior's digest."""

    @abstractmethod
    def seen(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """States (n, ...) and times (n,) -> the network's input (n, ...) and its time (n,)."""

    @abstractmethod
    def prediction(self, output: Tensor, x_t: Tensor, t: Tensor) -> Prediction:
        """The network's output (n, ...) -> E[x_0 | x_t] and E[eps | x_t]."""


class Diffusion(Process):
    """A discrete VP diffusion; the network is handed the training index.

    kind: "epsilon", "sample" (x0) or "v_prediction" (v = alpha eps - sigma x0).
    """

    def __init__(self, schedule: VPSchedule, kind: str) -> None:
        self.schedule = self._vp = schedule
        self._kind, self.name = kind, f"VP diffusion, {schedule.training_steps} steps, {kind}"

    def seen(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The state itself, and the index k."""
        return x_t, self._vp.index(t)

    def prediction(self, output: Tensor, x_t: Tensor, t: Tensor) -> Prediction:
        """By the schedule; from epsilon x0 is infinite where alpha is 0."""
        alpha, sigma = over(self._vp.alpha(t), x_t), over(self._vp.sigma(t), x_t)
        if self._kind == "epsilon":
            return Prediction((x_t - sigma * output) / alpha, output)
        if self._kind == "sample":
            return Prediction(output, noise_of(self._vp, x_t, output, t))
        return Prediction(alpha * x_t - sigma * output, sigma * x_t + alpha * output)


class Flow(Process):
    """Flow matching; the network predicts eps - x0 and is handed K t, K = 1000 training steps."""

    def __init__(self, shift: float, training_steps: int) -> None:
        self.schedule, self._scale = ShiftedFlow(shift), training_steps
        self.name = f"flow matching, shift {shift:.4g}"

    def seen(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The state itself, and K t."""
        return x_t, t * self._scale

    def prediction(self, output: Tensor, x_t: Tensor, t: Tensor) -> Prediction:
        """x0 = x_t - t v, eps = x_t + (1 - t) v."""
        t = over(t, x_t)
        return Prediction(x_t - t * output, x_t + (1 - t) * output)


class Preconditioned(Process):
    """EDM: y = x_0 + s eps is scaled to unit variance, and the output is added to a share of it.

    x0 = c_skip y + c_out F(c_in y, log(s) / 4), with sd the standard deviation of the data:
    c_skip = sd^2 / (s^2 + sd^2), c_out = sign s sd / sqrt(s^2 + sd^2), c_in = 1 / sqrt(s^2 + sd^2).
    Source: Karras et al., NeurIPS 2022, table 1. sign is -1 for a network that predicts v.
    """

    def __init__(self, schedule: ExplodingVE, data_std: float, kind: str) -> None:
        self.schedule = self._noise = schedule
        self._data_std, self._sign = data_std, -1 if kind == "v_prediction" else 1
        self.name = f"EDM, noise {schedule.low:.4g} to {schedule.high:.4g}, {kind}"

    def seen(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """c_in y, and c_noise = log(s) / 4."""
        s = self._noise.level(t)
        c_in = (s.square() + self._data_std**2).rsqrt()
        return over(c_in * (1 + s.square()).sqrt(), x_t) * x_t, s.log() / 4

    def prediction(self, output: Tensor, x_t: Tensor, t: Tensor) -> Prediction:
        """Skip and output, weighted."""
        s = self._noise.level(t)
        total = s.square() + self._data_std**2
        skip = self._data_std**2 / total * (1 + s.square()).sqrt()
        out = self._sign * s * self._data_std * total.rsqrt()
        x0 = over(skip, x_t) * x_t + over(out, x_t) * output
        return Prediction(x0, noise_of(self._noise, x_t, x0, t))


class Score(Process):
    """Score matching with exploding noise: F(y, s) = -eps / s, the gradient of log p_s(y).

    Source: Song et al., "Score-Based Generative Modeling through SDEs", ICLR 2021.
    """

    def __init__(self, schedule: ExplodingVE) -> None:
        self.schedule = self._noise = schedule
        self.name = f"score, noise {schedule.low:.4g} to {schedule.high:.4g}"

    def seen(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Data plus noise, y, and the level s."""
        s = self._noise.level(t)
        return over((1 + s.square()).sqrt(), x_t) * x_t, s

    def prediction(self, output: Tensor, x_t: Tensor, t: Tensor) -> Prediction:
        """From the score: eps = -s F, x0 = y + s^2 F."""
        y, s = self.seen(x_t, t)
        return Prediction(y + over(s.square(), y) * output, -over(s, y) * output)
