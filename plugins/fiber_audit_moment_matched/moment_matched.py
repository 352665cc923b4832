"""The moment-matched sampler, top to bottom. README.md derives it.

Notation
    x_t            x        noisy state
    E[x_0 | x_t]   x0       the prior's prediction at x_t, clipped
    V              Cov[x_0 | x_t] = (sigma^2 / alpha) dx0/dx_t: Tweedie's second moment
    F, J           feature map phi(decode(.)) and its Jacobian at the current point x_k
    h              target features;  lambda: damping, relative to a Rayleigh quotient of J V J'

If x_0 given x_t were N(x0, V) and F linear, x_0 given x_t and F(x_0) = h would have the mean

    x0 + V J' (J V J' + lambda I)^-1 (h - F(x_k) + J (x_k - x0)),                           (1)

a step of Levenberg-Marquardt in the metric of V. It is iterated from x_k = x0, and accepted for
each draw only where its fiber loss falls. The trajectory then goes on with the corrected mean.
Sources: Rozet et al., NeurIPS 2024; Boys et al., 2023; Song et al. (Pi-GDM), ICLR 2023, all for
linear F; multistep update: Lu et al. (DPM-Solver++ 2M), 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from fiber_audit import Noise, Schedule, at, finish, noise_of, over, rms, start, step
from fiber_audit.contracts import Draws, Prior, Problem, Sampler

from .conjugate_gradients import solve
from .linearisation import Linearisation

FLOOR = 1e-2
"""Below this alpha the state is noise, V does not exist and nothing is guided."""


class Posterior:
    """x_0 given x_t as the prior sees it: mean, and products with the covariance V."""

    def __init__(self, prior: Prior, x: Tensor, t: Tensor) -> None:
        with torch.enable_grad():
            self._x = x.detach().requires_grad_()
            self._x0 = prior.predict(self._x, at(t, x)).x0
        mean = self._x0.detach()
        self.mean = mean if prior.clip is None else mean.clamp(*prior.clip)
        alpha, sigma = prior.schedule.alpha(t), prior.schedule.sigma(t)
        self._scale = float(sigma.square() / alpha.clamp(min=1e-12))

    def covariance(self, v: Tensor) -> Tensor:
        """V v, by one backward pass: the Jacobian of a posterior mean is symmetric."""
        (pulled,) = torch.autograd.grad(self._x0, self._x, v, retain_graph=True)
        return self._scale * pulled


@dataclass(frozen=True)
class MomentMatched(Sampler):
    """The sampler; its fields are the options of the README's table."""

    steps: int = 24
    iterations: int = 16
    linearisations: int = 2
    power: float = 1.5
    order: int = 2
    eta: float = 0.0
    damping: float = 1e-3
    tolerance: float = 0.03
    strength: float = 1.0

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps, self.power)
        x = start(prior, noise, times[0])
        finite = torch.ones(len(x), dtype=torch.bool, device=x.device)
        damping = torch.full((len(x),), self.damping, device=x.device)
        refused, path = torch.zeros(len(x), device=x.device), []
        x0, before = x, None
        for t, s in pairwise(times):
            posterior = Posterior(prior, x, t)
            if self.strength > 0 and schedule.alpha(t) > FLOOR:
                x0, loss, damping, missed = self._corrected(problem, posterior, damping)
                path.append(loss)
                refused += missed / self.steps
            else:
                x0 = posterior.mean
            z = noise.normal(prior.state_shape, x) if self.eta > 0 and s > 0 else None
            x_s = advance(schedule, x, x0, before, t, s, self.order, self.eta, z)
            before = (t, x0)
            ok = x_s.flatten(1).isfinite().all(1)
            finite = finite & ok
            x = torch.where(over(ok, x_s).bool(), x_s, 0.0)  # a lost draw must not poison others
        return finish(problem, x, path, finite, {"refused": refused, "damping": damping})

    def _corrected(
        self, problem: Problem, posterior: Posterior, damping: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Eq. (1), iterated; returns the mean, its fiber loss, the damping, refused steps (n,)."""
        x0 = posterior.mean
        h = problem.targets
        best = x0
        refused = torch.zeros(len(x0), device=x0.device)
        here = Linearisation(problem.features, x0)
        loss = rms(here.value - h)
        goal = 2 * self.tolerance * loss
        for k in range(self.linearisations):
            if bool((loss <= goal).all()):  # the linear model was right: nothing to iterate
                break

            def operator(w: Tensor, active: Tensor, at: Linearisation = here) -> tuple[Tensor, Tensor]:
                moved = posterior.covariance(at.pull(w))
                return at.push(moved), moved

            wanted = h - here.value + here.push(best - x0)
            found = solve(operator, wanted, damping, self.tolerance, self.iterations)
            new = x0 + self.strength * found.image
            if problem.prior.clip is not None:
                new = new.clamp(*problem.prior.clip)
            last = k + 1 == self.linearisations
            if last:
                with torch.no_grad():
                    value = problem.features(new)
                there = None
            else:
                there = Linearisation(problem.features, new)
                value = there.value
            new_loss = rms(value - h)
            better = new_loss < loss
            best = torch.where(over(better, best).bool(), new, best)
            loss = torch.where(better, new_loss, loss)
            damping = torch.where(better, damping * 0.4, damping * 4).clamp(1e-7, 1e3)
            refused += (~better).float() / self.linearisations
            if last:
                break
            assert there is not None
            here = there if bool(better.all()) else Linearisation(problem.features, best)
        return best, loss, damping, refused


def advance(
    schedule: Schedule,
    x: Tensor,
    x0: Tensor,
    before: tuple[Tensor, Tensor] | None,
    t: Tensor,
    s: Tensor,
    order: int,
    eta: float,
    z: Tensor | None,
) -> Tensor:
    """From t to s with the mean x0 at t, and the one of the step before for second order.

    Second order is DPM-Solver++ (2M): x0 is extrapolated linearly in log(alpha / sigma). The last
    step, to noiseless data, is of first order, and so are steps with fresh noise.
    """
    usable = before is not None and order > 1 and eta == 0 and float(s) > 0
    if usable and before is not None:
        r, x0_r = before

        def log_snr(u: Tensor) -> Tensor:
            return (schedule.alpha(u).clamp(min=1e-6) / schedule.sigma(u)).log()

        ratio = (log_snr(s) - log_snr(t)) / (log_snr(t) - log_snr(r))
        x0_mid = x0 + over(0.5 * ratio, x0) * (x0 - x0_r)
        scale = schedule.sigma(s) / schedule.sigma(t)
        return over(scale, x) * x + over(schedule.alpha(s) - scale * schedule.alpha(t), x) * x0_mid
    return step(schedule, x0, noise_of(schedule, x, x0, t), t, s, eta, z)
