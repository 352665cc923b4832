"""The moment-matched sampler, top to bottom. README.md derives it.

At every noise level the prior's mean E[x_0 | x_t] is replaced by the mean of x_0 given x_t *and*
the target features, under the Gaussian N(E[x_0 | x_t], V) with Tweedie's second moment V;
`gauss_newton.py` finds it, from the level on at which `trust.py` finds that V is a covariance, and
as much of it is taken as `shares.py` finds to help; `pace.py` says in what steps: few and whole
where V is one at every level, many and small ones where it is not.
Sources, for linear measurements: Rozet et al., NeurIPS 2024; Boys et al., 2023; Song et al.
(Pi-GDM), ICLR 2023.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from fiber_audit.contracts import (
    Count,
    Draws,
    Extractor,
    Fraction,
    Learned,
    NonNegativeInt,
    Positive,
    Prior,
    Problem,
    Sampler,
)
from fiber_audit.sampling import (
    Noise,
    Schedule,
    Trail,
    denoised,
    in_blocks,
    noise_of,
    over,
    start,
    step,
    steps,
)

from .gauss_newton import Effort, Posterior, Trust, corrected
from .pace import ALL, PACES, Pace
from .restart import noised_again, patched, stuck
from .second_order import Course, natural
from .shares import Shares, measured
from .trust import LEVELS, Reach, reach, time_of


class Plan(NamedTuple):
    """How a pair of extractor and prior is drawn: in what steps, and how much of a correction."""

    pace: Pace
    shares: Shares


LAST = 0.1
"""The tolerance of the last step, relative: nothing after it makes up for what it leaves."""


@dataclass(frozen=True, kw_only=True)
class MomentMatched(Sampler):
    """The sampler; its fields are the options of the README's table.

    None is as the pace has it, and a pace of None is what the prior's Jacobian allows.
    """

    strength: Fraction = 1.0
    pace: Literal["whole", "gradual"] | None = None
    steps: Count | None = None
    power: Positive | None = None
    order: Literal[1, 2] | None = None
    eta: Fraction | None = None
    directions: Count | None = None
    linearisations: Count | None = None
    polish: NonNegativeInt | None = None
    restarts: NonNegativeInt = 1
    tolerance: Positive = 0.03
    damping: Positive = 0.01
    guided_below: Positive | None = None
    _known: dict[tuple[int, int], tuple[Plan, Extractor, Prior]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _reach: dict[int, tuple[Reach, Prior]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def prepare(self, extractor: Extractor, prior: Prior) -> Learned:
        """Measure whether V is a covariance, from which level on, and how much of a move helps.

        `Learned()` where there is nothing to measure: it is known, told, or every row has a prior
        of its own.

        Raises:
            UsageError: the prior has fewer steps than the pace; tell `steps`.
        """
        started, known = time.perf_counter(), (len(self._reach), len(self._known))
        plan = self._plan(extractor, prior)
        if self.steps is None:
            prior.schedule.times(plan.pace.steps)  # before the first draw
        learned = (len(self._reach), len(self._known)) != known
        return Learned(seconds=time.perf_counter() - started) if learned else Learned()

    @torch.no_grad()
    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`.

        path: a column per guided step. Diagnostics: those of `Trust.report`, and restarted (times).
        """
        plan, problem = self._plan(problem.extractor, problem.prior), in_blocks(problem)
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(plan.pace.steps, plan.pace.power)
        x = start(prior, noise, times[0])
        draws = self._drawn(problem, noise, x, times, plan, pure=True)
        for _ in range(self.restarts):
            rows = stuck(draws)
            if not len(rows):
                break
            part, noises = problem.select(rows), noise.select(rows)
            x, late = noised_again(schedule, draws.states[rows], noises, times)
            draws = patched(draws, rows, self._drawn(part, noises, x, late, plan))
        return draws

    def _drawn(
        self,
        problem: Problem,
        noise: Noise,
        x: Tensor,
        times: Tensor,
        plan: Plan,
        *,
        pure: bool = False,
    ) -> Draws:
        """From states x at times[0] to draws; pure: x is noise only, without alpha x_0."""
        prior, schedule, pace = problem.prior, problem.prior.schedule, plan.pace
        trail, trust, course = Trail(problem), Trust.fresh(x, self.damping), Course()
        guard, guided = noisiest_time(schedule), 0
        for t, s, z in steps(prior, noise, times, pace.eta):
            known, last = torch.minimum(t, guard), bool(s == 0)
            share = plan.shares.at(float(schedule.sigma(t) / schedule.alpha(t)))
            if share > 0:
                # where V does not exist yet, noise is noise: look at it as at the guard's time
                effort = self._effort(pace, problem.targets.shape[1], last=last)
                posterior = Posterior(prior, x, known)
                point, loss, trust = corrected(problem, posterior, trust, effort)
                share = 1.0 if last else share
                x0 = posterior.mean + share * self.strength * (point - posterior.mean)
                if pure:  # its eps is x / sigma; a schedule may end before alpha = 0
                    x = x + over(schedule.alpha(t), x) * x0
                eps = noise_of(schedule, x, x0, t)
                course = course if guided else Course()  # the prior's own led elsewhere
                guided += 1
            else:
                (x0, eps), loss = denoised(prior, x, t), None
            pure, middle, now = False, x0, natural(schedule, known)
            course.add(now, x0)
            if pace.order > 1 and len(course.points) > 1 and s > 0:
                middle = course.ahead(natural(schedule, s) - now)
                eps = noise_of(schedule, x, middle, t)
            x = trail.add(step(schedule, middle, eps, t, s, pace.eta, z), loss)
        freedom = min(problem.targets.shape[1], x[0].numel())
        return trail.finish(
            x, restarted=torch.zeros_like(trust.damping), **trust.report(guided, freedom)
        )

    def _plan(self, extractor: Extractor, prior: Prior) -> Plan:
        """In what steps, and how much of a correction: told, or measured once for each pair."""
        if self.strength == 0:
            return Plan(self._told(self.pace or "whole"), Shares(0.0))
        same = prior.select(torch.zeros(1, dtype=torch.int64)) is prior
        if self.guided_below is not None or not same:  # of rows with priors of their own, no draws
            return Plan(self._told(self.pace or "whole"), Shares(self.guided_below or torch.inf))
        key = id(extractor), id(prior)  # equal weights may be told another class, or other times
        if key not in self._known:
            if id(prior) not in self._reach:
                self._reach[id(prior)] = reach(prior), prior
            found, _ = self._reach[id(prior)]
            pace = self._told(self.pace or ("whole" if found.trusted == torch.inf else "gradual"))
            effort = self._effort(pace, extractor.feature_size, last=False)
            begins = found.open if pace.late else found.trusted
            shares = measured(extractor, prior, effort, self.damping, begins)
            # both are held, so that no id is used again
            self._known[key] = Plan(pace, shares), extractor, prior
        return self._known[key][0]

    def _told(self, name: str) -> Pace:
        """A pace, with what is told in place of what it has."""
        told = {name: getattr(self, name, None) for name in Pace._fields}
        return PACES[name]._replace(**{k: v for k, v in told.items() if v is not None})

    def _effort(self, pace: Pace, features: int, *, last: bool) -> Effort:
        few = self.directions is None and features <= ALL
        return Effort(
            linearisations=pace.linearisations + (pace.polish if last else 0),
            directions=features if few else min(pace.directions, features),
            tolerance=self.tolerance * (LAST if last else 1.0),
        )


def noisiest_time(schedule: Schedule) -> Tensor:
    """The last time, of a thousand, at which V can be computed: float64, a scalar.

    >>> from fiber_audit.sampling import FlowSchedule
    >>> round(noisiest_time(FlowSchedule()).item(), 3)
    0.98
    """
    return time_of(schedule, LEVELS[0])
