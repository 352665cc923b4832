"""The null: the prior's own draws, which ignore the target."""

from __future__ import annotations

from dataclasses import dataclass

from fiber_audit import Noise, finish, unguided
from fiber_audit.contracts import Draws, Problem, Sampler


@dataclass(frozen=True)
class Unconditional(Sampler):
    """`fiber_audit.unguided` as a sampler: one forward of the prior per step."""

    guided = False

    steps: int = 50
    eta: float = 0.0
    power: float = 1.0

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        states = unguided(problem.prior, noise, self.steps, self.eta, self.power)
        return finish(problem, states)
