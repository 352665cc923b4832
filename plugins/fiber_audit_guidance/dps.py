"""DPS: after each unguided step, descend the misfit of the clean estimate, through the prior.

Source: Chung et al., "Diffusion Posterior Sampling for General Noisy Inverse Problems", ICLR 2023,
algorithm 1:

    x_s = DDIM(x_t) - zeta_t grad_{x_t} ||r||^2,    zeta_t = zeta / ||r||

which is a step of 2 zeta along the slope of ||r||. zeta is `strength`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from fiber_audit import Noise, finish, start, step
from fiber_audit.contracts import Draws, Problem, Sampler

from .slope import is_finite, predict, view


@dataclass(frozen=True)
class DPS(Sampler):
    """Per step: one forward and one backward of the prior and of the extractor."""

    strength: float = 0.1
    steps: int = 200
    eta: float = 1.0

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps)
        x = start(prior, noise, times[0])
        finite, path = is_finite(x), []
        for t, s in pairwise(times):
            z = noise.normal(prior.state_shape, x) if self.eta and s > 0 else None
            if self.strength == 0:
                x0, eps = predict(problem, x, t)
                x = step(schedule, x0, eps, t, s, self.eta, z)
            else:
                x0, eps, misfit, slope = view(problem, x, t)
                x = step(schedule, x0, eps, t, s, self.eta, z) - 2 * self.strength * slope
                path.append(misfit / problem.targets.shape[1] ** 0.5)
            finite &= is_finite(x)
        return finish(problem, x, path, finite)
