"""MPGD: move the clean estimate itself, without a backward pass through the prior.

Source: He et al., "Manifold Preserving Guided Diffusion", ICLR 2024, algorithm 1 (for latent priors
algorithm 4, the same with the decoder inside phi):

    x0 <- x0 - rho grad_{x0} ||r||,    x_s = alpha_s x0 + sqrt(sigma_s^2 - c1^2) eps + c1 z

eps stays that of the network. rho is `strength`. Cheapest, and the most prone to features of
phi that the data do not have.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fiber_audit.contracts import Count, Draws, Fraction, NonNegative, Problem, Sampler
from fiber_audit.sampling import Noise, Trail, denoised, in_blocks, start, step, steps

from .slope import slope_in_x0
from .unconditional import Unconditional


@dataclass(frozen=True, kw_only=True)
class MPGD(Sampler):
    """Per step: one forward of the prior; one forward and one backward of the extractor."""

    strength: NonNegative = 0.1
    steps: Count = 200
    eta: Fraction = 1.0

    @torch.no_grad()
    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        if self.strength == 0:
            return Unconditional(steps=self.steps, eta=self.eta).sample(problem, noise)
        problem = in_blocks(problem)
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps)
        x, trail = start(prior, noise, times[0]), Trail(problem)
        for t, s, z in steps(prior, noise, times, self.eta):
            x0, eps = denoised(prior, x, t)
            loss, slope = slope_in_x0(problem, x0)
            x = step(schedule, x0 - self.strength * slope, eps, t, s, self.eta, z)
            x = trail.add(x, loss)
        return trail.finish(x)
