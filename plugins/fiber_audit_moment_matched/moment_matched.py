"""The moment-matched sampler, top to bottom. README.md derives it.

At every noise level the prior's mean E[x_0 | x_t] is replaced by the mean of x_0 given x_t *and*
the target features, under the Gaussian N(E[x_0 | x_t], V) with Tweedie's second moment V;
`gauss_newton.py` finds it. Sources, for linear measurements: Rozet et al., NeurIPS 2024; Boys et
al., 2023; Song et al. (Pi-GDM), ICLR 2023. Steps of second order: Lu et al. (DPM-Solver++), 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from fiber_audit.contracts import (
    Count,
    Draws,
    Fraction,
    NonNegativeInt,
    Positive,
    Problem,
    Sampler,
)
from fiber_audit.sampling import (
    Noise,
    Schedule,
    Trail,
    denoised,
    noise_of,
    start,
    step,
    steps,
)

from .gauss_newton import Effort, Posterior, Trust, corrected

NOISIEST = 50.0
"""sigma / alpha up to which V is computed; beyond, it is the network's error, amplified."""
LAST = 0.1
"""The tolerance of the last step, relative: nothing after it makes up for what it leaves."""


@dataclass(frozen=True, kw_only=True)
class MomentMatched(Sampler):
    """The sampler; its fields are the options of the README's table."""

    strength: Fraction = 1.0
    steps: Count = 20
    power: Positive = 2.0
    order: Literal[1, 2] = 2
    eta: Fraction = 0.0
    directions: Count = 8
    linearisations: Count = 2
    polish: NonNegativeInt = 8
    tolerance: Positive = 0.03
    damping: Positive = 0.01
    guided_below: Positive | None = None

    @torch.no_grad()
    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`.

        path: a column per guided step. Diagnostics: those of `Trust.report`.
        """
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps, self.power)
        guard, guided = noisiest_time(schedule), [self._guides(schedule, t) for t in times[:-1]]
        x, trail = start(prior, noise, times[0]), Trail(problem)
        trust, before = Trust.fresh(x, self.damping), None
        for (t, s, z), guide in zip(steps(prior, noise, times, self.eta), guided, strict=True):
            known = torch.minimum(t, guard)
            if guide:
                # where V does not exist yet, noise is noise: look at it as at the guard's time
                posterior = Posterior(prior, x, known)
                point, loss, trust = corrected(
                    problem, posterior, trust, self._effort(last=bool(s == 0))
                )
                x0 = posterior.mean + self.strength * (point - posterior.mean)
                eps = noise_of(schedule, x, x0, t)
            else:
                (x0, eps), loss = denoised(prior, x, t), None
            middle, now = x0, log_snr(schedule, known)
            if self.order > 1 and before is not None and s > 0:
                middle = extrapolated(x0, *before, now, log_snr(schedule, s))
                eps = noise_of(schedule, x, middle, t)
            before = x0, now
            x = trail.add(step(schedule, middle, eps, t, s, self.eta, z), loss)
        freedom = min(problem.targets.shape[1], x[0].numel())
        return trail.finish(x, **trust.report(sum(guided), freedom))

    def _guides(self, schedule: Schedule, t: Tensor) -> bool:
        if self.strength == 0 or self.guided_below is None:
            return self.strength > 0
        return bool(schedule.sigma(t) < self.guided_below * schedule.alpha(t))

    def _effort(self, *, last: bool) -> Effort:
        return Effort(
            linearisations=self.linearisations + (self.polish if last else 0),
            directions=self.directions,
            tolerance=self.tolerance * (LAST if last else 1.0),
        )


def noisiest_time(schedule: Schedule) -> Tensor:
    """The last time, of a thousand, at which V can be computed: float64, a scalar.

    >>> from fiber_audit.sampling import FlowSchedule
    >>> round(noisiest_time(FlowSchedule()).item(), 3)
    0.98
    """
    times = torch.linspace(0, 1, 1001, dtype=torch.float64)[1:]
    return times[schedule.sigma(times) <= NOISIEST * schedule.alpha(times)][-1]


def log_snr(schedule: Schedule, t: Tensor) -> Tensor:
    """log(alpha / sigma), the natural time of a diffusion; finite at alpha = 0."""
    return (schedule.alpha(t).clamp(min=1e-6) / schedule.sigma(t)).log()


def extrapolated(x0: Tensor, before: Tensor, r: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """E[x_0 | x_t], extrapolated linearly in log(alpha / sigma) to the middle of the step to s.

    before is E[x_0 | x_r] of the step before; r, t, s are log(alpha / sigma) of its, this and the
    next time, increasing. A first-order step with it has second order. Source: Lu et al.,
    DPM-Solver++ (2M), 2022, algorithm 2.

    >>> r, t, s = torch.tensor([0.0, 1.0, 3.0])
    >>> extrapolated(torch.tensor([1.0]), torch.tensor([0.0]), r, t, s)
    tensor([2.])
    """
    if t <= r:
        return x0
    return x0 + (0.5 * (s - t) / (t - r)).to(x0) * (x0 - before)
