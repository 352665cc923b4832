"""The null: the prior's own draws, which ignore the target."""

from __future__ import annotations

from dataclasses import dataclass

from fiber_audit.contracts import Count, Draws, Fraction, Positive, Problem, Sampler
from fiber_audit.sampling import Noise, finish, unguided


@dataclass(frozen=True, kw_only=True)
class Unconditional(Sampler):
    """`fiber_audit.sampling.unguided` as a sampler: one forward of the prior per step."""

    guided = False

    steps: Count = 50
    eta: Fraction = 0.0
    power: Positive = 1.0

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        states = unguided(problem.prior, noise, self.steps, self.eta, self.power)
        return finish(problem, states)
