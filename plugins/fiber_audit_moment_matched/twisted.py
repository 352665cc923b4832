"""The twisted sampler, top to bottom: the right weights of the parts of a fiber.

Sequential Monte Carlo over the prior's own steps, K particles per draw, with a proposal that is
moment-matched in mean and covariance; `twist.py` has the maths, README.md the reasons. Later sweeps
keep the last path as one of the particles (conditional sequential Monte Carlo), which leaves the
target invariant for any K. The chosen particle is polished onto the fiber.

Sources: Whiteley and Lee, Twisted Particle Filters, 2014; Wu et al., Practical and Asymptotically
Exact Conditional Sampling in Diffusion Models, NeurIPS 2023; Andrieu et al., Particle Markov Chain
Monte Carlo Methods, 2010.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from fiber_audit.contracts import (
    Count,
    Draws,
    Extractor,
    Fraction,
    Learned,
    NonNegative,
    NonNegativeInt,
    Positive,
    Prior,
    Problem,
    Sampler,
)
from fiber_audit.sampling import Noise, Schedule, Trail, in_blocks

from .calibration import Calibration, calibrated
from .finish import finished
from .sight import View
from .sweep import Rules, Sweep

Particles = Annotated[int, Ge(2)]
COLLAPSED = 1.05
"""Effective particles below which the weights say nothing."""


@dataclass(frozen=True, kw_only=True)
class Twisted(Sampler):
    """The sampler; its fields are the options of the README's table."""

    particles: Particles = 16
    sweeps: Count = 1
    steps: Count = 50
    power: Positive = 1.5
    tau: Positive = 0.02
    directions: Count = 16
    resample_below: Fraction = 0.5
    temper_below: Fraction = 0.0
    guided_below: Positive | None = None
    hand_over: NonNegative = 0.1
    polish: NonNegativeInt = 8
    calibration: Count = 256
    _known: dict[tuple[int, int], tuple[Calibration, Extractor, Prior]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def prepare(self, extractor: Extractor, prior: Prior) -> Learned:
        """Calibrate; `calibration.py` says what. It follows from the pair and the options."""
        started = time.perf_counter()
        self._calibration(extractor, prior)
        return Learned(seconds=time.perf_counter() - started)

    @torch.no_grad()
    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`.

        path: the mean fiber loss of a draw's particles, a column per step of the last sweep, and
        the loss after the polish. Diagnostics of the last sweep: ess (the least effective sample
        size of all steps, as a share of K), collapsed (1 where that is 1 / K: one particle has all
        the weight, and such draws follow the proposal), resampled (times), spread (the largest
        standard deviation of the log weights), rho (the last tempering), landing (the fiber loss
        before the polish).
        """
        known = self._calibration(problem.extractor, problem.prior)
        problem = in_blocks(problem)
        prior, trail = problem.prior, Trail(problem)
        times = prior.schedule.times(self.steps, self.power)
        each = torch.arange(len(noise), device=problem.targets.device)
        crowd = problem.select(each.repeat_interleave(self.particles))
        last = self._hand_over(prior.schedule, times)
        sweep = Sweep(View(crowd, known.directions), known, times[: last + 1], self._rules(), noise)
        path, report = sweep.run(None)
        for _ in range(self.sweeps - 1):
            trail.add(path[-1])  # a draw that is lost stays lost
            path, report = sweep.run(path)
        for x, loss in zip(path, report.losses, strict=True):
            trail.add(x, loss)
        x, landing, loss = finished(problem, path[-1], times[last:], self.polish)
        x = trail.add(x, loss)
        collapsed = report.ess * self.particles < COLLAPSED
        _warned(float(collapsed[~trail.lost].float().mean()) if len(collapsed) else 0.0)
        return trail.finish(
            x,
            ess=report.ess,
            ess_mean=report.ess_sum / (last + 1),
            collapsed=collapsed.float(),
            resampled=report.resampled,
            spread=report.spread,
            rho=report.rho,
            landing=landing,
        )

    def _hand_over(self, schedule: Schedule, times: Tensor) -> int:
        """The number of the time at which one particle takes over; there is noise at it."""
        noisy = times[:-1]
        late = schedule.sigma(noisy) < self.hand_over * schedule.alpha(noisy)
        return int(torch.cat([late, late.new_ones(1)]).nonzero()[0].clamp(max=len(noisy) - 1))

    def _rules(self) -> Rules:
        return Rules(
            self.particles, self.tau, self.resample_below, self.temper_below, self.guided_below
        )

    def _calibration(self, extractor: Extractor, prior: Prior) -> Calibration:
        """Measured once per pair."""
        key = id(extractor), id(prior)  # equal weights may be told another class, or other times
        if key not in self._known:
            times = prior.schedule.times(self.steps, self.power)
            times = times[: self._hand_over(prior.schedule, times) + 1]
            found = calibrated(extractor, prior, times, self.directions, self.calibration)
            self._known[key] = found, extractor, prior  # held, so that an id is not used again
        return self._known[key][0]


def _warned(share: float) -> None:
    """Say so where most draws of a batch have one particle with all the weight."""
    if share > 0.5:
        warnings.warn(
            f"twisted: in {share:.0%} of these draws one particle has all the weight, so the parts "
            f"of a fiber are not weighed; take fewer directions, guided_below = 1.5 or more "
            f"particles.",
            stacklevel=3,
        )
