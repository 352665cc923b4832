"""From which noise level down a prior's Jacobian is a covariance, and draws are open: measured.

For an exact posterior mean, V = (sigma^2 / alpha) dx0/dx_t is the covariance of x_0 given x_t:
symmetric, with the trace E |x_0 - x0(x_t)|^2. A trained network's is that only where it was taught
enough. On draws x_0 of the prior itself, noised to a level, and random probes a, b:

    asymmetry = |V - V'| / |V|      from E (a'V b - b'V a)^2 and E (a'V b)^2, Frobenius norms   (1)
    trace     = E a'V a             beside the squared error of x0(x_t)                         (2)

Both cost one backward pass for each probe. A guidance that begins late meets states that the prior
alone has brought there, and keeps the law only if they say little of x_0 yet: of its variance the
mean knows 1 - E |x_0 - x0(x_t)|^2 / Var x_0.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from fiber_audit.contracts import Prior
from fiber_audit.sampling import Noise, Schedule, denoised, derive_seed, over, unguided

from .gauss_newton import Posterior
from .subspace import dot

ROOT = "moment-matched trust"
DRAWS, STEPS, PROBES = 32, 50, 4
AT_ONCE = 16
"""Draws that the prior is given together: it may be large."""
LEVELS = (50.0, 35.0, 25.0, 18.0, 12.0, 9.0, 6.5, 4.5, 3.2, 2.2, 1.5)
"""sigma / alpha, noisiest first. Beyond the first, V is the network's error, amplified."""
ASYMMETRY = 0.5
"""At most, for V to be trusted."""
TRACE = 0.5
"""How far trace and squared error may be apart, as a share of the error."""
CERTAIN = 3.0
"""Standard errors that chance may add to that."""
DECIDED = 0.25
"""Share of the variance of draws that the prior's mean may know of a draw that is still open."""


class Evidence(NamedTuple):
    """Of one level: Eq. (1); Eq. (2), the squared error, and the standard error of their gap."""

    asymmetry: float
    trace: float
    error: float
    uncertain: float

    @property
    def trusted(self) -> bool:
        """Whether V may guide here; what is not a number may not."""
        gap = abs(self.trace - self.error)
        near = gap <= TRACE * self.error + CERTAIN * self.uncertain
        return near and self.asymmetry <= ASYMMETRY


class Reach(NamedTuple):
    """Levels of sigma / alpha, of LEVELS; the same at every call.

    trusted: from which on V is a covariance; infinity from everywhere, the last where none is.
    open: the last, not beyond it, at which the prior's mean has not yet decided more than DECIDED
    of the variance of its draws.
    """

    trusted: float
    open: float


def reach(prior: Prior) -> Reach:
    """Measure both, on draws of the prior itself."""
    noise = Noise([derive_seed(ROOT, i) for i in range(DRAWS)])
    parts = [noise.select(torch.arange(DRAWS)[i : i + AT_ONCE]) for i in range(0, DRAWS, AT_ONCE)]
    x0 = torch.cat([unguided(prior, part, steps=STEPS, eta=1.0) for part in parts])
    trusted = LEVELS[-1]
    for level in LEVELS:
        if evidence(prior, x0, time_of(prior.schedule, level), noise).trusted:
            trusted = torch.inf if level == LEVELS[0] else level
            break
    last, most = min(trusted, LEVELS[0]), (1 - DECIDED) * float(x0.double().var(0).sum())
    for level in LEVELS:
        if level < last and unknown(prior, x0, time_of(prior.schedule, level), noise) >= most:
            last = level
    return Reach(trusted, last)


@torch.no_grad()
def unknown(prior: Prior, x0: Tensor, t: Tensor, noise: Noise) -> float:
    """E |x_0 - x0(x_t)|^2 at a time, from draws x0 (n, *state_shape), each with PROBES noises."""
    alpha, sigma = over(prior.schedule.alpha(t), x0), over(prior.schedule.sigma(t), x0)
    left = []
    for _ in range(PROBES):
        x = alpha * x0 + sigma * noise.normal(prior.state_shape, like=x0)
        pairs = zip(x.split(AT_ONCE), x0.split(AT_ONCE), strict=True)
        left += [(truth - denoised(prior, some, t).x0).double() for some, truth in pairs]
    return float(torch.cat(left).flatten(1).square().sum(1).mean())


@torch.no_grad()
def evidence(prior: Prior, x0: Tensor, t: Tensor, noise: Noise) -> Evidence:
    """Eq. (1) and (2) at a time, from draws x0 (n, *state_shape) of the prior."""
    alpha, sigma = prior.schedule.alpha(t), prior.schedule.sigma(t)
    x = over(alpha, x0) * x0 + over(sigma, x0) * noise.normal(prior.state_shape, like=x0)
    probes = torch.stack([noise.normal(prior.state_shape, like=x0) for _ in range(PROBES)])
    parts = [
        _seen(prior, x[some], t, x0[some], probes[:, some])
        for some in torch.arange(len(x0)).split(AT_ONCE)
    ]
    seen, error = (torch.cat(each) for each in zip(*parts, strict=True))
    diagonal = seen.diagonal(dim1=1, dim2=2)
    across = seen - torch.diag_embed(diagonal)
    gap = diagonal.mean(1) - error
    return Evidence(
        asymmetry=float((across - across.mT).norm() / across.norm().clamp(min=1e-30)),
        trace=float(diagonal.mean()),
        error=float(error.mean()),
        uncertain=float(gap.std() / len(gap) ** 0.5),
    )


def _seen(prior: Prior, x: Tensor, t: Tensor, x0: Tensor, probes: Tensor) -> tuple[Tensor, Tensor]:
    """What (1) and (2) are made of, float64: a'V b of all probes (n, p, p), squared errors (n,)."""
    posterior = Posterior(prior, x, t)
    moved = [posterior.covariance(b) for b in probes]
    seen = torch.stack([torch.stack([dot(a, v) for v in moved], 1) for a in probes], 1)
    return seen.double(), (x0 - posterior.mean).double().flatten(1).square().sum(1)


def time_of(schedule: Schedule, level: float) -> Tensor:
    """The last time, of a thousand, with sigma / alpha up to a level: float64, a scalar.

    >>> from fiber_audit.sampling import FlowSchedule
    >>> round(time_of(FlowSchedule(), 3.0).item(), 3)
    0.75
    """
    times = torch.linspace(0, 1, 1001, dtype=torch.float64)[1:]
    return times[schedule.sigma(times) <= level * schedule.alpha(times)][-1]
