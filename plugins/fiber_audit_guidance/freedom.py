"""FreeDoM: the DPS slope with a weight over time, and time travel.

Source: Yu et al., "FreeDoM: Training-Free Energy-Guided Conditional Diffusion Model", ICCV 2023,
algorithm 2. In the middle of the trajectory (its "semantic stage", `travel` = [t_low, t_high]) each
step is done `repeats` times, going back from s to t by adding noise xi between them:

    x_s = DDIM(x_t) - rho_t grad_{x_t} ||r||,   rho_t = rho alpha_t / mean(alpha)
    x_t = (alpha_t / alpha_s) x_s + sqrt(sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2) xi

rho is `strength`; at 0 there is nothing to travel for. The weight alpha_t = sqrt(abar_t) is one of
the choices of the authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from fiber_audit import Noise, Schedule, UsageError, finish, over, start, step
from fiber_audit.contracts import Draws, Problem, Sampler

from .slope import is_finite, predict, view


def renoised(schedule: Schedule, x_s: Tensor, s: Tensor, t: Tensor, xi: Tensor) -> Tensor:
    """Time travel from s back to the noisier t with fresh standard normal xi, shaped like x_s."""
    ratio = schedule.alpha(t) / schedule.alpha(s)
    spread = schedule.sigma(t).square() - ratio.square() * schedule.sigma(s).square()
    return over(ratio, x_s) * x_s + over(spread.clamp(min=0).sqrt(), x_s) * xi


@dataclass(frozen=True)
class FreeDoM(Sampler):
    """Per pass over a step: one forward and one backward of the prior and of the extractor."""

    strength: float = 0.1
    steps: int = 200
    eta: float = 1.0
    repeats: int = 2
    travel: Sequence[float] = (0.3, 0.7)

    def __post_init__(self) -> None:
        if len(self.travel) != 2 or not 0 <= self.travel[0] <= self.travel[1] <= 1:
            raise UsageError(
                f"travel = {list(self.travel)}: write [t_low, t_high], 0 <= t_low <= t_high <= 1."
            )

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps)
        weights = self.strength * schedule.alpha(times[:-1]) / schedule.alpha(times[:-1]).mean()
        x, side = start(prior, noise, times[0]), noise.child("travel")
        finite, path = is_finite(x), []
        for (t, s), rho in zip(pairwise(times), weights.tolist(), strict=True):
            low, high = self.travel
            passes = self.repeats if rho and low <= t <= high else 1
            for left in reversed(range(passes)):
                z = None
                if self.eta and s > 0:
                    z = (noise if left == 0 else side).normal(prior.state_shape, x)
                if rho == 0:
                    x0, eps = predict(problem, x, t)
                    x = step(schedule, x0, eps, t, s, self.eta, z)
                else:
                    x0, eps, misfit, slope = view(problem, x, t)
                    x = step(schedule, x0, eps, t, s, self.eta, z) - rho * slope
                    path.append(misfit / problem.targets.shape[1] ** 0.5)
                finite &= is_finite(x)
                if left:
                    x = renoised(schedule, x, s, t, side.normal(prior.state_shape, x))
        return finish(problem, x, path, finite)
