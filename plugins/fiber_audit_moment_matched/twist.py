"""The maths of twisted particles: the prior's step, what it foresees, and its weight.

The prior's own step from t to s is x_s = m + y with y ~ N(0, c^2 I) (DDPM, with v_t added):

    c1  as in `fiber_audit.sampling.step` for eta = 1,   dir = sqrt(sigma_s^2 - c1^2)
    a   = alpha_s - dir alpha_t / sigma_t,   c^2 = c1^2 + a^2 v_t
    m   = alpha_s x0 + dir eps                                                           (1)

To first order, what is missing of the target then is, given y,

    r | y ~ N(H y, E),   H = (a / c^2) J V,   E = (c1^2 / c^2) J V J' + D_t + tau^2 I    (2)
    r     ~ N(0, C),     C = E + c^2 H H'

(for V = v_t I, C is J V J' + D_t + tau^2 I). From the right step given the target, y | r, follows

    twist      g_t(x_t) = N(r; 0, C)                                                     (3)
    proposal   y = y' + c^2 H' C^-1 (r - H y' - e),  y' ~ N(0, c^2 I),  e ~ N(0, E)      (4)
    weight     w *= g_s(x_s) / N(r; H y, E)                                              (5)

(4) is a draw from y | r. (5) is N(y; 0, c^2) g_s / (q(y) g_t) by Bayes' rule: the new twist over
what (2) foresaw of it, so where (2) is true nothing is left to weigh. At the last time no step
follows, and what remains unknown of x_0 is left to the polish:

    g(x) = N(r; 0, J V J' + D_t + tau^2 I).                                              (6)

Whatever (2) gets wrong, the products of (5) telescope to the same target: the prior's path, times
(6), the chance that its end is on the fiber. Tempering multiplies E, and the variance in (6), by
1 + rho.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fiber_audit.sampling import Schedule, over

from .calibration import Level
from .sight import Sight


class Kernel(NamedTuple):
    """The numbers of Eq. (1), and the level that belongs to t."""

    alpha: float
    direction: float
    fresh: float
    shift: float
    variance: float
    missed: Tensor


def kernel(schedule: Schedule, t: Tensor, s: Tensor, level: Level) -> Kernel:
    """The prior's step from t to the less noisy s > 0."""
    a_t, s_t = float(schedule.alpha(t)), float(schedule.sigma(t))
    a_s, s_s = float(schedule.alpha(s)), float(schedule.sigma(s))
    direction = s_s * min(s_s * a_t / (a_s * s_t), 1.0)
    fresh = s_s**2 - direction**2
    shift = a_s - direction * a_t / s_t
    variance = fresh + shift**2 * level.variance
    return Kernel(a_s, direction, fresh, shift, variance, level.missed)


@dataclass(frozen=True)
class Foresight:
    """Eq. (2) at particles (N): r (N, m), H (N, m, d), Cholesky factors of E and of C."""

    residual: Tensor
    gain: Tensor
    noise: Tensor
    total: Tensor
    variance: float

    def of(self, pick: Callable[[Tensor], Tensor]) -> Foresight:
        """The foresight of some of the particles."""
        parts = (self.residual, self.gain, self.noise, self.total)
        r, h, e, c = (pick(part) for part in parts)
        return Foresight(r, h, e, c, self.variance)

    def twist(self) -> Tensor:
        """Eq. (3): log g, (N,)."""
        return log_normal(self.residual, self.total)

    def propose(self, y: Tensor, e: Tensor) -> Tensor:
        """Eq. (4): y' (N, ...) from the prior's step, e (N, m) white -> y."""
        e = (self.noise @ e[:, :, None])[:, :, 0]
        miss = (self.residual - self._seen(y) - e)[:, :, None]
        pull = self.gain.mT @ torch.cholesky_solve(miss, self.total)
        return y + self.variance * pull.reshape(y.shape)

    def foreseen(self, y: Tensor) -> Tensor:
        """The denominator of Eq. (5): log N(r; H y, E), (N,)."""
        return log_normal(self.residual - self._seen(y), self.noise)

    def _seen(self, y: Tensor) -> Tensor:
        return (self.gain @ y.flatten(1)[:, :, None])[:, :, 0]


def foresight(sight: Sight, step: Kernel, tau: float, rho: Tensor) -> Foresight:
    """Eq. (2) with E times 1 + rho (N,)."""
    eye = torch.eye(sight.residual.shape[1], device=rho.device)
    gain = step.shift / step.variance * sight.moves
    noise = (step.fresh / step.variance) * sight.spread + step.missed + tau**2 * eye
    noise = noise * over(1 + rho, noise)
    total = noise + step.variance * gain @ gain.mT
    return Foresight(sight.residual, gain, factor(noise), factor(total), step.variance)


def final_twist(sight: Sight, missed: Tensor, tau: float, rho: Tensor) -> Tensor:
    """Eq. (6): log g of particles (N), (N,)."""
    eye = torch.eye(len(missed), device=rho.device)
    total = sight.spread + missed + tau**2 * eye
    return log_normal(sight.residual, factor(total * over(1 + rho, total)))


def log_normal(r: Tensor, root: Tensor) -> Tensor:
    """The logarithm of N(r; 0, L L') up to a constant: r (N, m), L (N, m, m) -> (N,).

    >>> log_normal(torch.ones(1, 1), torch.ones(1, 1, 1))
    tensor([-0.5000])
    """
    white = torch.linalg.solve_triangular(root, r[:, :, None], upper=False)
    return -0.5 * white.square().flatten(1).sum(1) - root.diagonal(dim1=1, dim2=2).log().sum(1)


def factor(matrix: Tensor) -> Tensor:
    """Cholesky factors of (N, m, m); NaN where there is none."""
    root, failed = torch.linalg.cholesky_ex(matrix)
    return root.masked_fill((failed > 0)[:, None, None], torch.nan)
