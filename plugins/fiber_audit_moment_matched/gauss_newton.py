"""One correction of the prior's mean: Gauss-Newton on the fiber, in the metric of the posterior.

Notation: x0 mean and V covariance of x_0 given x_t; F feature map phi(decode(.)), J its Jacobian at
the current point x; h target. Around x, the correction minimises

    |h - F(x) - J d|^2 + lambda d' V^-1 d                                                  (1)

over d in the span of a few moves q_i = V J' w_i (Levenberg-Marquardt in the metric of V), the last
move with what it did to the features among them (the secant of a quasi-Newton method).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from fiber_audit.contracts import Prediction, Prior, Problem
from fiber_audit.sampling import at, clipped, over, rms

from .subspace import Direction, Subspace, dot

SECANT = 0.1
"""Length of the secant that stands for J q, in posterior standard deviations."""
TRIED = (0.1, 1.0, 10.0)
"""Dampings tried at each linearisation, as multiples of the last one that was taken."""
LEAST, MOST = 1e-7, 1e3
FINEST, COARSEST = 1e-4, 0.5


class Posterior:
    """x_0 given x_t: mean and eps, the clipped prediction at x (n, ...), and a covariance V."""

    def __init__(self, prior: Prior, x: Tensor, t: Tensor) -> None:
        with torch.enable_grad():
            self._x = x.detach().requires_grad_()
            self._x0, eps = prior.predict(self._x, at(t, x))
        self.mean, self.eps = clipped(prior, x, t, Prediction(self._x0.detach(), eps.detach()))
        self._scale = over(prior.schedule.sigma(t).square() / prior.schedule.alpha(t), x)
        self._free = (self.mean == self._x0.detach()).to(x)

    def covariance(self, v: Tensor) -> Tensor:
        """V v with V = (sigma^2 / alpha) dx0/dx_t, Tweedie's second moment, by one backward pass.

        The Jacobian of an exact posterior mean is symmetric, so its transpose serves. A coordinate
        that the prior's range clips does not vary: its rows and columns of V are zero.
        """
        (pulled,) = torch.autograd.grad(self._x0, self._x, v * self._free, retain_graph=True)
        return self._scale * self._free * pulled


class Linearisation:
    """F near x (n, ...): one forward of phi; value is (n, d_h)."""

    def __init__(self, problem: Problem, posterior: Posterior, x: Tensor) -> None:
        self.problem, self.posterior = problem, posterior
        with torch.enable_grad():
            self._x = x.detach().requires_grad_()
            self._value = problem.features(self._x)
        self.value = self._value.detach()

    @torch.no_grad()
    def along(self, w: Tensor) -> tuple[Direction, Tensor]:
        """The move for a feature direction w (n, d_h), and where (n,) there is one; zero elsewhere.

        One backward of phi, one of the prior, one forward of phi. J q is a secant: any network
        will do, and it looks as far as the prior is unsure.
        """
        (g,) = torch.autograd.grad(self._value, self._x, w, retain_graph=True)
        q = self.posterior.covariance(g)
        squared = dot(g, q)  # w'J V J'w, the squared length of q in standard deviations
        h = SECANT / squared.clamp(min=1e-20).sqrt()
        ahead = self.problem.features(self._x + over(h, q) * q)
        u = (ahead - self.value) / h[:, None]
        ok = (squared > 0) & u.isfinite().all(1) & q.flatten(1).isfinite().all(1)
        return Direction(g, q, u).where(ok), ok


class Effort(NamedTuple):
    """How much a correction may cost, and how near it has to come (posterior deviations)."""

    linearisations: int
    directions: int
    tolerance: float


class Point(NamedTuple):
    """A point that is tried, row by row: x (n, ...), its features, its fiber loss (n,).

    damping (n,) led there, by coefficients c (n, k); error (n,) is how far the features are from
    what the linear model said, as a share of the residual.
    """

    x: Tensor
    value: Tensor
    loss: Tensor
    damping: Tensor
    c: Tensor
    error: Tensor

    def where(self, rows: Tensor, other: Point) -> Point:
        """These rows (n,) of this point, the rest of the other."""
        both = zip(self, other, strict=True)
        return Point(*(torch.where(over(rows, a).bool(), a, b) for a, b in both))


@dataclass(frozen=True)
class Trust:
    """What a trajectory has learned about the curvature of phi, row by row (n,).

    damping: lambda. error: the share of the residual that the last linear model got wrong; to solve
    a linear model better than that is wasted (Eisenstat and Walker, 1996). tried, refused: counts
    of linearisations, and of those that lowered no loss. stretch: sum over the steps of the squared
    length of the first correction, in standard deviations. begun: the fiber loss of the prior's
    mean before the first correction of all; 0 where there was none.
    """

    damping: Tensor
    error: Tensor
    tried: Tensor
    refused: Tensor
    stretch: Tensor
    begun: Tensor

    @classmethod
    def fresh(cls, like: Tensor, damping: float) -> Trust:
        """Before the first step; like is any tensor of n rows."""
        none = torch.zeros(len(like), device=like.device)
        return cls(none + damping, none + 0.1, none, none, none, none)

    def after(self, rows: Tensor, found: Point, taken: Tensor) -> Trust:
        """With one more linearisation of these rows (n,), of which those taken moved."""
        return replace(
            self,
            damping=torch.where(rows, found.damping, self.damping).clamp(LEAST, MOST),
            error=torch.where(rows, found.error.clamp(FINEST, COARSEST), self.error),
            tried=self.tried + rows,
            refused=self.refused + (rows & ~taken),
        )

    def stretched(self, rows: Tensor, length: Tensor, loss: Tensor) -> Trust:
        """With the length of one more first correction of these rows (n,), and the loss before."""
        return replace(
            self,
            stretch=self.stretch + torch.where(rows, length.square(), 0.0),
            begun=torch.where(self.begun > 0, self.begun, loss),
        )

    def report(self, steps: int, freedom: int) -> dict[str, Tensor]:
        """Diagnostics of draws after some guided steps; freedom is what a unit stretch moves.

        refused: share of the linearisations. damping: the last. stretch: about 1 where prior and
        target agree, several where the target is implausible under the prior.
        """
        return {
            "refused": self.refused / self.tried.clamp(min=1),
            "damping": self.damping,
            "stretch": (self.stretch / (max(steps, 1) * freedom)).sqrt(),
            "begun": self.begun,
        }


@torch.no_grad()
def corrected(
    problem: Problem, posterior: Posterior, trust: Trust, effort: Effort
) -> tuple[Tensor, Tensor, Trust]:
    """Solve Eq. (1) again and again from x = x0: the point (n, ...), its fiber loss (n,), trust.

    Each row takes the damping that lowers its loss most, or stays. It is done where its move is
    below the tolerance, in standard deviations, or where no damping lowers its loss.
    """
    x = posterior.mean
    loss = x.new_full((len(x),), torch.nan)
    secant: Direction | None = None
    busy = torch.ones(len(x), dtype=torch.bool, device=x.device)
    for k in range(effort.linearisations):
        here = Linearisation(problem, posterior, x)
        left = problem.targets - here.value
        loss = rms(left) if k == 0 else loss
        busy = busy & loss.isfinite() & (loss > 0)
        space = Subspace(left.where(busy[:, None], 0.0), effort.directions + 1)
        if secant is not None:
            space.add(secant)
        c, solved = _explore(here, space, trust, busy, effort)
        bold = trust.damping * TRIED[-1]
        stay = Point(x, here.value, loss, bold, torch.zeros_like(c), torch.ones_like(loss))
        new, taken = _best_damping(problem, stay, space, trust.damping, busy)
        length = space.length(c)
        pull = space.pull(new.c)
        secant = Direction(pull, new.x - x, new.value - here.value).where(taken)
        trust = trust.after(busy, new, taken)
        trust = trust.stretched(busy, length, loss) if k == 0 else trust
        x, loss = new.x, new.loss
        enough = (length <= effort.tolerance) | (solved & (new.error < effort.tolerance))
        busy = busy & taken & ~enough
        if not busy.any():
            break
    return x, loss, trust


def _explore(
    here: Linearisation, space: Subspace, trust: Trust, busy: Tensor, effort: Effort
) -> tuple[Tensor, Tensor]:
    """Add directions, each the residual that those before leave: a Krylov space of J V J'.

    Eq. (1) solved in it is GMRES with damping. Returns the coefficients (n, k), and where (n,) none
    is left to find.
    """
    c = space.solve(trust.damping)
    left = space.residual - space.image(c)
    goal = space.residual.square().sum(1)
    active, solved = busy, torch.zeros_like(busy)
    for _ in range(effort.directions):
        w = left / left.norm(dim=1, keepdim=True).clamp(min=1e-20)
        direction, ok = here.along(w.where(active[:, None], 0.0))
        space.add(direction)
        last, c = c, space.solve(trust.damping)
        change = c - last
        left = space.residual - space.image(c)
        share = left.square().sum(1) / goal.clamp(min=1e-30)
        still = space.length(change) <= effort.tolerance
        solved = solved | (active & (still | (share <= FINEST**2)))
        active = active & ok & ~still & (share > trust.error.square())
        if not active.any():
            break
    return c, solved


def _best_damping(
    problem: Problem, stay: Point, space: Subspace, damping: Tensor, busy: Tensor
) -> tuple[Point, Tensor]:
    """The best point of each row, and whether (n,) it is a new one.

    One forward of phi for each damping, no evaluation of the prior. A row that stays reports the
    error of its boldest move.
    """
    size = space.residual.norm(dim=1).clamp(min=1e-30)
    best, taken = stay, torch.zeros_like(busy)
    for factor in TRIED:
        c = space.solve(damping * factor)
        x = stay.x + space.move(c)
        x = x if problem.prior.clip is None else x.clamp(*problem.prior.clip)
        value = problem.features(x)
        left = problem.targets - value
        error = (left - space.residual + space.image(c)).norm(dim=1) / size
        tried = Point(x, value, rms(left), damping * factor, c, error)
        if factor == TRIED[0]:
            best = best._replace(error=torch.where(busy, error, best.error))
        better = busy & (tried.loss < best.loss)
        best, taken = tried.where(better, best), taken | better
    return best, taken
