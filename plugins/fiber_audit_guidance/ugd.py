"""UGD, universal guidance: forward through the prior, backward on the clean estimate.

Source: Bansal et al., "Universal Guidance for Diffusion Models", ICLR 2024, algorithm 1:

    forward   eps <- eps + w sigma_t grad_{x_t} ||r(x0(x_t))||                   w is `strength`
    backward  m steps of gradient descent on ||r(x0 + Delta)||, Delta = 0 at first
              eps <- eps - (alpha_t / sigma_t) Delta
    repeat    the step `repeats` times, back from s to t by fresh noise

and the DDIM step uses the clean estimate that belongs to eps, (x_t - sigma_t eps) / alpha_t. Where
alpha_t = 0 (a flow at t = 1) the state holds no data and the step is unguided. The rate of the
backward steps is `strength * backward_rate`.
"""

from __future__ import annotations

from dataclasses import dataclass

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
from fiber_audit.sampling import Noise, Trail, denoised, in_blocks, over, start, step, steps

from .slope import slope_in_x0, view
from .time_travel import passes
from .unconditional import Unconditional


@dataclass(frozen=True, kw_only=True)
class UGD(Sampler):
    """Per pass over a step: one forward and backward of the prior, 1 + m of the extractor."""

    strength: NonNegative = 2.0
    steps: Count = 200
    eta: Fraction = 1.0
    backward_steps: NonNegativeInt = 3
    backward_rate: NonNegative = 0.1
    repeats: Count = 1

    @torch.no_grad()
    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        if self.strength == 0:
            return Unconditional(steps=self.steps, eta=self.eta).sample(problem, noise)
        problem = in_blocks(problem)
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps)
        x, trail, side = start(prior, noise, times[0]), Trail(problem), noise.child("travel")
        for t, s, fresh in steps(prior, noise, times, self.eta):
            repeats = self.repeats if schedule.alpha(t) > 0 else 1
            for z, back in passes(schedule, t, s, fresh, repeats, side):
                x0, eps, loss = self._guided(problem, x, t)
                x = step(schedule, x0, eps, t, s, self.eta, z)
                x = back(trail.add(x, loss))
        return trail.finish(x)

    def _guided(
        self, problem: Problem, x: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """(x0, eps) after forward and backward guidance, and the fiber loss before (or None)."""
        alpha, sigma = problem.prior.schedule.alpha(t), problem.prior.schedule.sigma(t)
        if alpha == 0:
            return *denoised(problem.prior, x, t), None
        alpha, sigma = over(alpha, x), over(sigma, x)
        x0, eps, loss, slope = view(problem, x, t)
        delta = x0 * 0
        for _ in range(self.backward_steps):
            _, downhill = slope_in_x0(problem, x0 + delta)
            delta = delta - self.strength * self.backward_rate * downhill
        change = self.strength * sigma * slope - alpha / sigma * delta  # of eps
        return x0 - sigma / alpha * change, eps + change, loss
