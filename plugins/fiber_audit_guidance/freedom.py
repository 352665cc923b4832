"""FreeDoM: the DPS slope with a weight over time, and time travel.

Source: Yu et al., "FreeDoM: Training-Free Energy-Guided Conditional Diffusion Model", ICCV 2023,
algorithm 2. In the middle of the trajectory (its "semantic stage", `travel` = [t_low, t_high]) each
step is done `repeats` times:

    x_s = DDIM(x_t) - rho_t grad_{x_t} ||r||,   rho_t = rho alpha_t / mean(alpha)

rho is `strength`. The weight alpha_t = sqrt(abar_t) is one of the choices of the authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fiber_audit import UsageError
from fiber_audit.contracts import Count, Draws, Fraction, NonNegative, Problem, Sampler, held
from fiber_audit.sampling import Noise, Trail, in_blocks, over, start, step, steps

from .slope import view
from .time_travel import passes
from .unconditional import Unconditional


@dataclass(frozen=True, kw_only=True)
class FreeDoM(Sampler):
    """Per pass over a step: one forward and one backward of the prior and of the extractor.

    Raises:
        UsageError: travel is not [t_low, t_high] within [0, 1].
    """

    strength: NonNegative = 0.1
    steps: Count = 200
    eta: Fraction = 1.0
    repeats: Count = 2
    travel: Sequence[float] = (0.3, 0.7)

    def __post_init__(self) -> None:
        held("travel", self.travel, tuple[float, ...])
        if len(self.travel) != 2 or not 0 <= self.travel[0] <= self.travel[1] <= 1:
            raise UsageError(
                f"travel = {list(self.travel)}: write [t_low, t_high], 0 <= t_low <= t_high <= 1."
            )

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        if self.strength == 0:
            return Unconditional(steps=self.steps, eta=self.eta).sample(problem, noise)
        problem = in_blocks(problem)
        prior, schedule = problem.prior, problem.prior.schedule
        times, (low, high) = schedule.times(self.steps), self.travel
        mean = schedule.alpha(times[:-1]).mean()
        x, trail, side = start(prior, noise, times[0]), Trail(problem), noise.child("travel")
        for t, s, fresh in steps(prior, noise, times, self.eta):
            rho = self.strength * schedule.alpha(t) / mean
            repeats = self.repeats if low <= t <= high and rho > 0 else 1
            for z, back in passes(schedule, t, s, fresh, repeats, side):
                x0, eps, loss, slope = view(problem, x, t)
                x = step(schedule, x0, eps, t, s, self.eta, z) - over(rho, x) * slope
                x = back(trail.add(x, loss))
        return trail.finish(x)
