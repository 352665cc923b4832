"""TFG: one rule with the others as special cases.

Source: Ye et al., "TFG: Unified Training-Free Guidance for Diffusion Models", NeurIPS 2024,
algorithm 1. With f = -||r|| and f~ its smoothing, log mean_k exp f(x0 + smoothing sigma_t delta_k):

    variance guidance   Delta_t = rho_t grad_{x_t} f~(x0(x_t))
    mean guidance       Delta_0 <- Delta_0 + mu_t grad_{x0} f~(x0 + Delta_0), m times from 0
    x_s = DDIM(x_t) + Delta_t / a + alpha_s Delta_0,      a = alpha_t / alpha_s
    repeat the step `repeats` times, back from s to t by fresh noise

rho_t = strength rho w_t and mu_t = strength mu w_t. The weight w_t has mean 1 and is proportional
to a^2 ("increase", the paper's choice), to sigma_t ("decrease") or constant; "flat" keeps mu_t and
Delta_t / a = strength rho grad f~ constant. rho alone with "flat" is DPS, mu alone with m = 1 and
"constant" is MPGD; tests prove both. At alpha_t = 0 (a flow at t = 1) Delta_t is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from fiber_audit import Noise, Schedule, at, clipped, finish, over, start, step
from fiber_audit.contracts import Draws, Problem, Sampler

from .freedom import renoised
from .slope import is_finite, predict

Weighting = Literal["increase", "decrease", "constant", "flat"]


def weights(schedule: Schedule, times: Tensor, kind: Weighting) -> tuple[Tensor, Tensor]:
    """(w_t / a, w_t) of every step, each (steps,): what multiplies rho and mu."""
    t, s = times[:-1], times[1:]
    a = schedule.alpha(t) / schedule.alpha(s)
    if kind == "flat":
        return (a > 0).to(a), torch.ones_like(a)
    w = {"increase": a.square(), "decrease": schedule.sigma(t), "constant": torch.ones_like(a)}[
        kind
    ]
    w = w / w.mean()
    return torch.where(a > 0, w / a.clamp(min=1e-12), 0.0), w


@dataclass(frozen=True)
class TFG(Sampler):
    """Per pass: one forward and backward of the prior, (1 + m) K of the extractor."""

    strength: float = 0.1
    steps: int = 200
    eta: float = 1.0
    rho: float = 1.0
    mu: float = 0.25
    smoothing: float = 0.1
    samples: int = 1
    mean_steps: int = 4
    repeats: int = 1
    weighting: Weighting = "increase"

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps)
        on_x_t, on_x0 = (self.strength * w for w in weights(schedule, times, self.weighting))
        x, side = start(prior, noise, times[0]), noise.child("tfg")
        finite, path = is_finite(x), []
        for i, (t, s) in enumerate(pairwise(times)):
            for left in reversed(range(self.repeats if self.strength else 1)):
                z = None
                if self.eta and s > 0:
                    z = (noise if left == 0 else side).normal(prior.state_shape, x)
                if self.strength:
                    rho, mu = self.rho * float(on_x_t[i]), self.mu * float(on_x0[i])
                    x0, eps, shift, loss = self._guide(problem, x, t, rho, mu, side)
                    path.append(loss)
                    x = step(schedule, x0, eps, t, s, self.eta, z)
                    x = x + shift[0] + over(schedule.alpha(s), x) * shift[1]
                else:
                    x0, eps = predict(problem, x, t)
                    x = step(schedule, x0, eps, t, s, self.eta, z)
                finite &= is_finite(x)
                if left:
                    x = renoised(schedule, x, s, t, side.normal(prior.state_shape, x))
        return finish(problem, x, path, finite)

    def _guide(
        self, problem: Problem, x_t: Tensor, t: Tensor, rho: float, mu: float, side: Noise
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor], Tensor]:
        """x0, eps, (Delta_t / a, Delta_0), fiber loss (RMS) of the smoothed objective."""
        prior = problem.prior
        width = self.smoothing * float(prior.schedule.sigma(t))
        delta = None
        if width:
            n, k = len(x_t), self.samples
            flat = side.normal((k, *prior.state_shape), x_t)
            delta = width * flat.reshape(n, k, *prior.state_shape)
        through = self.rho > 0
        x_t = x_t.detach().requires_grad_(through)
        with torch.set_grad_enabled(through):
            x0, eps = clipped(prior, x_t, t, prior.predict(x_t, at(t, x_t)))
            value = smoothed(problem, x0, delta)
        in_x_t = torch.zeros_like(x_t)
        if through:
            in_x_t = torch.autograd.grad(value.sum(), x_t)[0]
        x0, eps, moved = x0.detach(), eps.detach(), torch.zeros_like(x_t)
        for _ in range(self.mean_steps if self.mu else 0):
            point = (x0 + moved).requires_grad_()
            with torch.enable_grad():
                (in_x0,) = torch.autograd.grad(smoothed(problem, point, delta).sum(), point)
            moved = moved + mu * in_x0
        loss = -value.detach() / problem.targets.shape[1] ** 0.5
        return x0, eps, (rho * in_x_t, moved), loss


def smoothed(problem: Problem, x0: Tensor, delta: Tensor | None) -> Tensor:
    """f~ of each draw: log mean over k of exp(-||r(x0 + delta_k)||), delta (n, k, ...)."""
    points, k = (x0, 1) if delta is None else ((x0[:, None] + delta).flatten(0, 1), delta.shape[1])
    targets = problem.targets.repeat_interleave(k, dim=0)
    residual = problem.features(points) - targets
    distance: Tensor = torch.linalg.vector_norm(residual, dim=1)
    return (-distance.reshape(-1, k)).logsumexp(dim=1) - math.log(k)
