"""One sweep of (conditional) sequential Monte Carlo down the grid; `twist.py` has its equations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fiber_audit.sampling import Noise, over, place

from .calibration import Calibration
from .particles import chosen, effective, resampled, shares, take
from .sight import Sight, View, looked
from .twist import Foresight, Kernel, final_twist, foresight, kernel

RHOS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0, 1000.0)
"""Temperings that are tried, the least first."""


@dataclass(frozen=True)
class Rules:
    """Options of `Twisted`, by the same names."""

    particles: int
    tau: float
    resample_below: float
    temper_below: float
    guided_below: float | None


class Seen(NamedTuple):
    """Particles at a time of the grid: what each sees and foresees (None: not guided here)."""

    sight: Sight
    foresight: Foresight | None


@dataclass
class Report:
    """Of a sweep: losses, one (n,) per time, and numbers (n,) of each draw."""

    losses: list[Tensor]
    ess: Tensor
    ess_sum: Tensor
    resampled: Tensor
    spread: Tensor
    rho: Tensor

    def note(self, sight: Sight, log_weights: Tensor) -> None:
        """What there is to say of the particles at a time of the grid."""
        loss = sight.loss.view_as(log_weights).nan_to_num()
        self.losses.append((shares(log_weights) * loss).sum(1))
        self.ess_sum = self.ess_sum + effective(log_weights)
        self.ess = torch.minimum(self.ess, effective(log_weights))
        finite = log_weights.clamp(min=-1e6)
        self.spread = torch.maximum(self.spread, finite.std(1))


class Sweep:
    """Sweeps for the draws of a problem, n, seen by n K particles."""

    def __init__(
        self, view: View, known: Calibration, times: Tensor, rules: Rules, noise: Noise
    ) -> None:
        self._view, self._rules, self._times = view, rules, times
        self._noise, self._side = noise, noise.child("particles")
        self._schedule, self._device = view.prior.schedule, place(view.prior)
        steps = zip(times[:-1], times[1:], known.levels, strict=False)
        self._levels = known.levels
        self._missed = known.levels[len(times) - 1].missed
        self._kernels = [kernel(self._schedule, t, s, level) for t, s, level in steps]

    def run(self, held: list[Tensor] | None) -> tuple[list[Tensor], Report]:
        """A path: states (n, *state_shape), one for each time with noise. held: the last path."""
        n, k = len(self._noise), self._rules.particles
        nothing = torch.zeros(n, device=self._device)
        report = Report([], nothing + 1, nothing, nothing, nothing, nothing)
        path, parents = [], []
        x = self._white() * float(self._schedule.sigma(self._times[0]))
        x = self._with_held(x, held, 0)
        log_w, seen = self._arrived(x, 0, nothing[:, None].expand(n, k), report)
        path.append(x)
        for i, step in enumerate(self._kernels):
            uniform = torch.special.ndtr(self._side.normal((k,), like=x))
            ancestors, log_w, few = resampled(
                log_w, uniform, self._rules.resample_below, keep_first=held is not None
            )
            report.resampled = report.resampled + few
            seen = _of(seen, ancestors)
            m = step.alpha * seen.sight.mean + step.direction * seen.sight.eps
            y = math.sqrt(step.variance) * self._white()
            if seen.foresight is not None:
                e = self._side.normal((k, seen.sight.residual.shape[1]), like=x).flatten(0, 1)
                y = seen.foresight.propose(y, e)
            x = self._with_held(m + y, held, i + 1)
            if seen.foresight is not None:
                log_w = log_w - seen.foresight.foreseen(x - m).view(n, k)
            log_w, seen = self._arrived(x, i + 1, log_w, report)
            path.append(x)
            parents.append(ancestors)
        uniform = torch.special.ndtr(self._side.normal((1,), like=x))
        picked = chosen(shares(log_w), uniform)
        lost = ~log_w.isfinite().any(1)
        return _traced(path, parents, picked, lost), report

    def _arrived(self, x: Tensor, i: int, log_w: Tensor, report: Report) -> tuple[Tensor, Seen]:
        """Look from x at the i-th time, and multiply the weights by the twist there."""
        t, rules = self._times[i], self._rules
        sight = looked(self._view, x, t, self._levels[i].probes)
        below = rules.guided_below
        if below is not None and self._schedule.sigma(t) > below * self._schedule.alpha(t):
            report.note(sight, log_w)
            return log_w, Seen(sight, None)
        step = self._kernels[i] if i < len(self._kernels) else None
        twist = self._twist(sight, step)
        rho = self._tempering(log_w, lambda rho: twist(rho)[0])
        log_g, ahead = twist(rho)
        log_w = log_w + log_g.view_as(log_w)
        log_w = log_w.masked_fill(log_w.isnan(), -torch.inf)
        report.rho = rho
        report.note(sight, log_w)
        return log_w, Seen(sight, ahead)

    def _twist(
        self, sight: Sight, step: Kernel | None
    ) -> Callable[[Tensor], tuple[Tensor, Foresight | None]]:
        """Log g and what is foreseen, as functions of the tempering (n,)."""
        tau, k = self._rules.tau, self._rules.particles

        def twist(rho: Tensor) -> tuple[Tensor, Foresight | None]:
            rho = rho.repeat_interleave(k)
            if step is None:
                return final_twist(sight, self._missed, tau, rho), None
            ahead = foresight(sight, step, tau, rho)
            return ahead.twist(), ahead

        return twist

    def _tempering(self, log_w: Tensor, twist: Callable[[Tensor], Tensor]) -> Tensor:
        """The least of RHOS (n,) that leaves a draw with enough effective particles."""
        rho = log_w.new_zeros(len(log_w))
        if self._rules.temper_below == 0:
            return rho
        enough = torch.zeros_like(rho, dtype=torch.bool)
        for tried in RHOS:
            rho = torch.where(enough, rho, tried)
            found = log_w + twist(rho).view_as(log_w)
            enough = (
                effective(found.masked_fill(found.isnan(), -torch.inf)) >= self._rules.temper_below
            )
            if enough.all():
                break
        return rho

    def _white(self) -> Tensor:
        """Standard normal states (n K, *state_shape)."""
        shape = (self._rules.particles, *self._view.prior.state_shape)
        return self._noise.normal(shape).to(self._device).flatten(0, 1)

    def _with_held(self, x: Tensor, held: list[Tensor] | None, i: int) -> Tensor:
        """The first particle of each draw replaced by the path that is held."""
        if held is None:
            return x
        x = x.view(len(held[i]), -1, *x.shape[1:]).clone()
        x[:, 0] = held[i]
        return x.flatten(0, 1)


def _of(seen: Seen, ancestors: Tensor) -> Seen:
    """What the ancestors (n, K) have seen."""
    sight, ahead = seen
    sight = Sight(*(take(part, ancestors) for part in vars(sight).values()))
    if ahead is not None:
        ahead = ahead.of(lambda part: take(part, ancestors))
    return Seen(sight, ahead)


def _traced(
    path: list[Tensor], parents: list[Tensor], picked: Tensor, lost: Tensor
) -> list[Tensor]:
    """The states, oldest first, that led to picked particles (n, 1); NaN where a draw is lost."""
    states = []
    for x, ancestors in zip(reversed(path), [*reversed(parents), None], strict=True):
        found = take(x, picked)
        states.append(torch.where(over(lost, found).bool(), torch.nan, found))
        if ancestors is not None:
            picked = ancestors.gather(1, picked)
    return states[::-1]
