"""DPS: after each unguided step, descend the misfit of the clean estimate, through the prior.

Source: Chung et al., "Diffusion Posterior Sampling for General Noisy Inverse Problems", ICLR 2023,
algorithm 1:

    x_s = DDIM(x_t) - zeta_t grad_{x_t} ||r||^2,    zeta_t = zeta / ||r||

which is a step of 2 zeta along the slope of ||r||. zeta is `strength`.
"""

from __future__ import annotations

from dataclasses import dataclass

from fiber_audit.contracts import Count, Draws, Fraction, NonNegative, Problem, Sampler
from fiber_audit.sampling import Noise, Trail, in_blocks, start, step, steps

from .slope import view
from .unconditional import Unconditional


@dataclass(frozen=True, kw_only=True)
class DPS(Sampler):
    """Per step: one forward and one backward of the prior and of the extractor."""

    strength: NonNegative = 0.1
    steps: Count = 200
    eta: Fraction = 1.0

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        if self.strength == 0:
            return Unconditional(steps=self.steps, eta=self.eta).sample(problem, noise)
        problem = in_blocks(problem)
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps)
        x, trail = start(prior, noise, times[0]), Trail(problem)
        for t, s, z in steps(prior, noise, times, self.eta):
            x0, eps, loss, slope = view(problem, x, t)
            x = step(schedule, x0, eps, t, s, self.eta, z) - 2 * self.strength * slope
            x = trail.add(x, loss)
        return trail.finish(x)
