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
from itertools import pairwise

from torch import Tensor

from fiber_audit import Noise, finish, over, start, step
from fiber_audit.contracts import Draws, Problem, Sampler

from .freedom import renoised
from .slope import is_finite, predict, slope_in_x0, view


@dataclass(frozen=True)
class UGD(Sampler):
    """Per pass over a step: one forward and backward of the prior, 1 + m of the extractor."""

    strength: float = 2.0
    steps: int = 200
    eta: float = 1.0
    backward_steps: int = 3
    backward_rate: float = 0.1
    repeats: int = 1

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps)
        x, side = start(prior, noise, times[0]), noise.child("travel")
        finite, path = is_finite(x), []
        for t, s in pairwise(times):
            guided = self.strength > 0 and schedule.alpha(t) > 0
            for left in reversed(range(self.repeats if guided else 1)):
                if guided:
                    x0, eps, misfit = self._guided(problem, x, t)
                    path.append(misfit / problem.targets.shape[1] ** 0.5)
                else:
                    x0, eps = predict(problem, x, t)
                z = None
                if self.eta and s > 0:
                    z = (noise if left == 0 else side).normal(prior.state_shape, x)
                x = step(schedule, x0, eps, t, s, self.eta, z)
                finite &= is_finite(x)
                if left:
                    x = renoised(schedule, x, s, t, side.normal(prior.state_shape, x))
        return finish(problem, x, path, finite)

    def _guided(self, problem: Problem, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(x0, eps) after forward and backward guidance, and the misfit before."""
        schedule = problem.prior.schedule
        alpha, sigma = over(schedule.alpha(t), x), over(schedule.sigma(t), x)
        x0, eps, misfit, slope = view(problem, x, t)
        delta = x0 * 0
        for _ in range(self.backward_steps):
            _, downhill = slope_in_x0(problem, x0 + delta)
            delta = delta - self.strength * self.backward_rate * downhill
        change = self.strength * sigma * slope - alpha / sigma * delta  # of eps
        return x0 - sigma / alpha * change, eps + change, misfit
