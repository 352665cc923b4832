"""MPGD: move the clean estimate itself, without a backward pass through the prior.

Source: He et al., "Manifold Preserving Guided Diffusion", ICLR 2024, algorithm 1 (for latent priors
algorithm 4, the same with the decoder inside phi):

    x0 <- x0 - rho grad_{x0} ||r||,    x_s = alpha_s x0 + sqrt(sigma_s^2 - c1^2) eps + c1 z

eps stays that of the network. rho is `strength`. Cheapest, and the most prone to features of
phi that the data do not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from fiber_audit import Noise, finish, start, step
from fiber_audit.contracts import Draws, Problem, Sampler

from .slope import is_finite, predict, slope_in_x0


@dataclass(frozen=True)
class MPGD(Sampler):
    """Per step: one forward of the prior; one forward and one backward of the extractor."""

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
            x0, eps = predict(problem, x, t)
            if self.strength:
                misfit, slope = slope_in_x0(problem, x0)
                x0 = x0 - self.strength * slope
                path.append(misfit / problem.targets.shape[1] ** 0.5)
            x = step(schedule, x0, eps, t, s, self.eta, z)
            finite &= is_finite(x)
        return finish(problem, x, path, finite)
