"""The moment-matched sampler. README.md derives it; `correction.py` holds its equation.

At every noise level the prior's mean E[x_0 | x_t] is replaced by the mean of x_0 given x_t *and*
the target features, under the Gaussian N(E[x_0 | x_t], V) with Tweedie's second moment V.
Sources, for linear measurements: Rozet et al., NeurIPS 2024; Boys et al., 2023; Song et al.
(Pi-GDM), ICLR 2023. Steps of second order: Lu et al. (DPM-Solver++), 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from fiber_audit import Noise, Schedule, at, clipped, finish, noise_of, over, start, step
from fiber_audit.contracts import Draws, Problem, Sampler

from .correction import Trust, corrected
from .multistep import extrapolated, log_snr
from .posterior import Posterior, noisiest_time

LAST = 0.1
"""The tolerance of the last step, relative: nothing after it makes up for what it leaves."""


@dataclass(frozen=True)
class MomentMatched(Sampler):
    """The sampler; its fields are the options of the README's table."""

    strength: float = 1.0
    steps: int = 20
    power: float = 2.0
    order: int = 2
    eta: float = 0.0
    directions: int = 8
    linearisations: int = 2
    polish: int = 8
    tolerance: float = 0.03
    damping: float = 0.01
    guided_below: float | None = None

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps, self.power)
        guard = noisiest_time(schedule)
        x = start(prior, noise, times[0])
        finite = x.flatten(1).isfinite().all(1)
        trust = Trust.fresh(x, self.damping)
        path: list[Tensor] = []
        guided = 0
        before: tuple[Tensor, Tensor] | None = None
        for t, s in pairwise(times):
            if self._guides(schedule, t):
                guided += 1
                # where V does not exist yet, noise is noise: look at it as at the guard's time
                posterior = Posterior(prior, x, torch.minimum(t, guard))
                point, loss = corrected(
                    problem,
                    posterior,
                    trust,
                    linearisations=self.linearisations + (self.polish if s == 0 else 0),
                    directions=self.directions,
                    tolerance=self.tolerance * (LAST if s == 0 else 1.0),
                )
                x0 = posterior.mean + self.strength * (point - posterior.mean)
                eps = noise_of(schedule, x, x0, t)
                finite = finite & loss.isfinite()
                path.append(loss)
            else:
                with torch.no_grad():
                    x0, eps = clipped(prior, x, t, prior.predict(x, at(t, x)))
            now = log_snr(schedule, torch.minimum(t, guard))
            middle = x0
            if self.order > 1 and before is not None and s > 0:
                middle = extrapolated(x0, before[0], before[1], now, log_snr(schedule, s))
                eps = noise_of(schedule, x, middle, t)
            before = (x0, now)
            z = noise.normal(prior.state_shape, x) if self.eta > 0 and s > 0 else None
            x = step(schedule, middle, eps, t, s, self.eta, z)
            ok = x.flatten(1).isfinite().all(1)
            finite = finite & ok
            x = torch.where(over(ok, x).bool(), x, 0.0)  # a lost draw must not poison others
        freedom = min(problem.targets.shape[1], x[0].numel())
        health = {
            "refused": trust.refused / trust.tried.clamp(min=1),
            "damping": trust.damping,
            "stretch": (trust.stretch / (max(guided, 1) * freedom)).sqrt(),
        }
        return finish(problem, x, path, finite, health)

    def _guides(self, schedule: Schedule, t: Tensor) -> bool:
        late = self.guided_below is None or bool(
            schedule.sigma(t) < self.guided_below * schedule.alpha(t)
        )
        return self.strength > 0 and late
