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
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from fiber_audit.contracts import (
    Count,
    Draws,
    Fraction,
    NonNegative,
    NonNegativeInt,
    Problem,
    Sampler,
)
from fiber_audit.sampling import (
    Noise,
    Schedule,
    Trail,
    denoised,
    in_blocks,
    over,
    start,
    step,
    steps,
)

from .slope import Misfit, View, in_rms, slope_in_x0, view
from .time_travel import passes
from .unconditional import Unconditional

Weighting = Literal["increase", "decrease", "constant", "flat"]


@dataclass(frozen=True, kw_only=True)
class TFG(Sampler):
    """Per pass: one forward and backward of the prior, (1 + m) K of the extractor."""

    strength: NonNegative = 0.1
    steps: Count = 200
    eta: Fraction = 1.0
    rho: NonNegative = 1.0
    mu: NonNegative = 0.25
    smoothing: NonNegative = 0.1
    samples: Count = 1
    mean_steps: NonNegativeInt = 4
    repeats: Count = 1
    weighting: Weighting = "increase"

    @torch.no_grad()
    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        if self.strength == 0:
            return Unconditional(steps=self.steps, eta=self.eta).sample(problem, noise)
        problem = in_blocks(problem)
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps)
        rhos, mus = (self.strength * w for w in weights(schedule, times, self.weighting))
        x, trail, side = start(prior, noise, times[0]), Trail(problem), noise.child("tfg")
        trajectory = steps(prior, noise, times, self.eta)
        for (t, s, fresh), rho, mu in zip(trajectory, self.rho * rhos, self.mu * mus, strict=True):
            for z, back in passes(schedule, t, s, fresh, self.repeats, side):
                misfit = partial(smoothed, delta=self._smoothing(problem, x, t, side))
                x0, eps, loss, slope = self._view(problem, x, t, misfit)
                delta = self._mean_guidance(problem, x0, mu, misfit)
                x = step(schedule, x0, eps, t, s, self.eta, z)
                x = x - over(rho, x) * slope + over(schedule.alpha(s), x) * delta
                x = back(trail.add(x, loss))
        return trail.finish(x)

    def _smoothing(self, problem: Problem, x: Tensor, t: Tensor, side: Noise) -> Tensor | None:
        """What to add to x0: (n, K, *state_shape)."""
        width = self.smoothing * float(problem.prior.schedule.sigma(t))
        return width * side.normal((self.samples, *x.shape[1:]), x) if width else None

    def _view(self, problem: Problem, x: Tensor, t: Tensor, misfit: Misfit) -> View:
        """The view of x; without variance guidance its slope is zero, and the prior's left out."""
        if self.rho:
            return view(problem, x, t, misfit)
        x0, eps = denoised(problem.prior, x, t)
        return View(x0, eps, in_rms(problem, misfit(problem, x0)), torch.zeros_like(x))

    def _mean_guidance(self, problem: Problem, x0: Tensor, mu: Tensor, misfit: Misfit) -> Tensor:
        """Delta_0, like x0."""
        delta = torch.zeros_like(x0)
        for _ in range(self.mean_steps if self.mu else 0):
            _, downhill = slope_in_x0(problem, x0 + delta, misfit)
            delta = delta - over(mu, x0) * downhill
        return delta


def weights(schedule: Schedule, times: Tensor, kind: Weighting) -> tuple[Tensor, Tensor]:
    """(w_t / a, w_t) of every step, each (steps,): what multiplies rho and mu."""
    t, s = times[:-1], times[1:]
    a = schedule.alpha(t) / schedule.alpha(s)
    if kind == "flat":
        return (a > 0).to(a), torch.ones_like(a)
    shapes = {"increase": a.square(), "decrease": schedule.sigma(t), "constant": torch.ones_like(a)}
    w = shapes[kind] / shapes[kind].mean()
    return torch.where(a > 0, w / a.clamp(min=1e-12), 0.0), w


def smoothed(problem: Problem, x0: Tensor, delta: Tensor | None) -> Tensor:
    """-f~ of each draw: -log mean over k of exp(-||r(x0 + delta_k)||), delta (n, k, ...)."""
    points, k = (x0, 1) if delta is None else ((x0[:, None] + delta).flatten(0, 1), delta.shape[1])
    targets = problem.targets.repeat_interleave(k, dim=0)
    residual = problem.features(points) - targets
    distance: Tensor = torch.linalg.vector_norm(residual, dim=1)
    return math.log(k) - (-distance.reshape(-1, k)).logsumexp(dim=1)
