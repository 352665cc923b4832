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

from fiber_audit import Noise, finish, noise_of, over, start, step
from fiber_audit.contracts import Draws, Problem, Sampler

from .correction import Trust, corrected
from .multistep import second_order_step
from .posterior import Posterior

NOISE_ONLY = 1e-2
"""Below this alpha the state is noise: V does not exist, and nothing is corrected."""


@dataclass(frozen=True)
class MomentMatched(Sampler):
    """The sampler; its fields are the options of the README's table."""

    steps: int = 24
    power: float = 1.5
    order: int = 2
    eta: float = 0.0
    iterations: int = 12
    tolerance: float = 0.003
    linearisations: int = 2
    polish: int = 20
    damping: float = 1e-2
    strength: float = 1.0

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps, self.power)
        x = start(prior, noise, times[0])
        finite = torch.ones(len(x), dtype=torch.bool, device=x.device)
        trust = Trust.fresh(len(x), self.damping, x.device)
        path: list[Tensor] = []
        before: tuple[Tensor, Tensor] | None = None
        for t, s in pairwise(times):
            posterior = Posterior(prior, x, t)
            x0, eps = posterior.mean, posterior.eps
            if self.strength > 0 and schedule.alpha(t) > NOISE_ONLY:
                x0, loss = corrected(
                    problem,
                    posterior,
                    trust,
                    linearisations=self.polish if s == 0 else self.linearisations,
                    iterations=self.iterations,
                    tolerance=self.tolerance,
                    strength=self.strength,
                )
                eps = noise_of(schedule, x, x0, t)
                finite = finite & loss.isfinite()
                path.append(loss)
            if before is not None and self.order > 1 and self.eta == 0 and s > 0:
                x = second_order_step(schedule, x, x0, before, t, s)
            else:
                z = noise.normal(prior.state_shape, x) if self.eta > 0 and s > 0 else None
                x = step(schedule, x0, eps, t, s, self.eta, z)
            before = (t, x0)
            ok = x.flatten(1).isfinite().all(1)
            finite = finite & ok
            x = torch.where(over(ok, x).bool(), x, 0.0)  # a lost draw must not poison others
        health = {"refused": trust.refused / self.steps, "damping": trust.damping}
        return finish(problem, x, path, finite, health)
