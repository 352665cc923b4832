"""Does a sampler keep its contract? Tried on a Gaussian whose fibers are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from ..contracts import Draws, Problem, Sampler
from ..errors import WeightsError
from ..noise import Noise
from ..sampling import finish, rms, unguided
from . import network
from .first_block import sampler_problems
from .gaussian import gaussian_problem
from .randomness import watched
from .violation import FAULTS, WEIGHTS, Checks, Violation, told, violations

ROWS = 4
BATCH = 1e-4
"""Relative difference that rounding, carried along a whole trajectory, may make."""
SCHEDULES: tuple[Literal["vp", "flow"], ...] = ("vp", "flow")


@dataclass(frozen=True)
class SamplerTrial:
    """A sampler, a problem of ROWS rows, and the draws of seeds 0, 1, ..."""

    sampler: Sampler
    problem: Problem
    draws: Draws

    def again(self, rows: slice = slice(None)) -> Draws:
        """The draws of some rows, alone."""
        index = torch.arange(ROWS)[rows]
        return self.sampler.sample(self.problem.select(index), Noise(index.tolist()))


def check_sampler(sampler: Sampler) -> list[Violation]:
    """What is wrong with a sampler; an empty list where nothing is.

    It is tried with its own options on a VP diffusion and on a flow, and draws three times from
    each: seconds for most samplers.
    """
    found: dict[str, Violation] = {}
    for schedule in SCHEDULES:
        problem = gaussian_problem(ROWS, schedule=schedule)
        try:
            with watched() as used:
                draws = sampler.sample(problem, Noise(range(ROWS)))
        except WeightsError as error:  # it has to be fitted first
            return [Violation(WEIGHTS, str(error))]
        except FAULTS as error:  # whatever it is, the rest cannot be tried
            message = f"sample() on a {schedule} prior of 8 numbers raised {told(error)}."
            found.setdefault("call", Violation("call", message))
            continue
        if used:
            message = (
                f"sample() draws or seeds the global random numbers of {', '.join(used)}; "
                f"draw from its noise argument."
            )
            found.setdefault("global-rng", Violation("global-rng", message))
        wrong = sampler_problems(draws, ROWS, problem.queries.shape[1:])
        if wrong:  # such draws cannot be compared
            found.setdefault("shape", Violation("shape", wrong))
            continue
        for violation in violations(CHECKS, SamplerTrial(sampler, problem, draws)):
            found.setdefault(violation.name, violation)
    return list(found.values())


def _finite(s: SamplerTrial) -> str | None:
    if not s.draws.finite.all():
        return "draws left the finite numbers on a Gaussian; weaken the default guidance."
    return None


def _deterministic(s: SamplerTrial) -> str | None:
    if not torch.equal(s.again().data, s.draws.data):
        return "the same seeds give other draws; keep no state between calls of sample()."
    return None


def _batch(s: SamplerTrial) -> str | None:
    alone = s.again(slice(0, 1)).data
    difference = network.apart(alone, s.draws.data[:1])
    if difference > BATCH:
        return (
            f"row 0 alone differs from row 0 in a batch by {difference:.1e} of it; compute losses "
            f"per row, take gradients of their .sum(), draw noise from noise.normal(), and begin "
            f"with problem = in_blocks(problem), so that rounding knows no batch."
        )
    return None


def _guided(s: SamplerTrial) -> str | None:
    if not s.sampler.guided:
        return None
    free = finish(s.problem, unguided(s.problem.prior, Noise(range(ROWS))))
    losses = [
        float(rms(s.problem.extractor.features(d.data) - s.problem.targets).mean())
        for d in (s.draws, free)
    ]
    if losses[0] >= losses[1]:
        return (
            f"its fiber loss {losses[0]:.2g} is no lower than the prior's own {losses[1]:.2g}; "
            f"check the sign of the guidance, or set guided = False."
        )
    return None


CHECKS: Checks[SamplerTrial] = {
    "finite": _finite,
    "deterministic": _deterministic,
    "batch-independent": _batch,
    "guided": _guided,
}
