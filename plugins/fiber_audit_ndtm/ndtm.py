"""NDTM with a fiber loss, top to bottom.

Source: Rousselot, Wendebourg, Köthe, arXiv 2603.21782; NDTM: Pandey et al., arXiv 2502.03686.

Notation (paper -> here)
    x_t            x         noisy state                    u_t       u      control of one step
    x_t + gamma u  x_c       controlled state, and the one the step starts from
    x0hat, eps     x0, eps   the prior's prediction, clipped; eps is recomputed after clipping
    h_t            h         target: phi(x*), or phi of the query re-noised and denoised at t
    gamma, kappa, tau        strength, weight of |x_c - x_t|^2, weight of |eps(x_c) - eps(x_t)|^2
    N, lr          inner_steps, learning_rate: Adam on u, fresh at every step, from u = 0

Per step, for each draw alone: u = argmin |phi(decode(x0hat(x + gamma u))) - h|
+ kappa |gamma u|^2 + tau |d eps|^2 (Eq. 19 of the revision; the authors' code has gamma^4 in
kappa's term); then one DDIM step from x + gamma u. README.md lists all deviations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from fiber_audit import Noise, at, clipped, finish, over, rms, start, step
from fiber_audit.contracts import Draws, Prior, Problem, Sampler

from .adam import Adam
from .strength import Strength


@dataclass(frozen=True)
class NDTM(Sampler):
    """The sampler; its fields are the options of the README's table."""

    strength: Strength = field(default_factory=lambda: Strength.of(5.0))
    steps: int = 200
    inner_steps: int = 10
    learning_rate: float = 0.02
    decay: str = "linear"
    kappa: float = 3e-4
    tau: float = 0.0
    eta: float = 1.0
    loss: str = "l2"
    target: str = "static"
    clip_gradient: float = 1.0
    update: str = "ddim"
    variance: str = "small"
    returns: str = "x0"

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        prior, schedule = problem.prior, problem.prior.schedule
        side = noise.child("target")
        times = schedule.times(self.steps)
        x = start(prior, noise, times[0])
        x0, path = x, []
        finite = torch.ones(len(x), dtype=torch.bool, device=x.device)
        moved = torch.zeros(len(x), device=x.device)
        for i, (t, s) in enumerate(pairwise(times)):
            gamma = self.strength(float(t))
            if gamma == 0 or self.inner_steps == 0:
                with torch.no_grad():
                    x0, eps = clipped(prior, x, t, prior.predict(x, at(t, x)))
            else:
                h = self._target(problem, side, t)
                u, x0, eps, loss = self._control(problem, x, t, h, gamma, self._rate(i))
                x = x + gamma * u
                moved = gamma * u.flatten(1).square().mean(1).sqrt()
                path.append(loss)
            z = noise.normal(prior.state_shape, x) if s > 0 and self._noisy else None
            x = self._step(prior, x, x0, eps, t, s, z)
            ok = x.flatten(1).isfinite().all(1)
            finite = finite & ok
            x = torch.where(over(ok, x).bool(), x, 0.0)  # a lost draw must not poison its batch
        state = x0 if self.returns == "x0" else x
        return finish(problem, state, path, finite, {"control_rms": moved})

    def _control(
        self, problem: Problem, x: Tensor, t: Tensor, h: Tensor, gamma: float, lr: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Minimise J over u; returns u, the clipped prediction at x + gamma u, its fiber loss."""
        prior, adam = problem.prior, Adam(lr)
        u, eps_x, loss = torch.zeros_like(x), None, torch.zeros(len(x), device=x.device)
        for _ in range(self.inner_steps):
            u = u.detach().requires_grad_()
            with torch.enable_grad():
                x_c = x + gamma * u
                raw = prior.predict(x_c, at(t, x))
                x0 = raw.x0 if prior.clip is None else raw.x0.clamp(*prior.clip)
                if eps_x is None:  # the first control is zero: this is the unguided prediction
                    eps_x = raw.eps.detach()
                features = problem.features(x0)
                cost = self._terminal(features, h)
                cost = cost + self.kappa * (gamma * u).flatten(1).square().sum(1)
                if self.tau:
                    cost = cost + self.tau * (raw.eps - eps_x).flatten(1).square().sum(1)
            (g,) = torch.autograd.grad(cost.sum(), u)
            loss = rms(features.detach() - h)
            norm = g.flatten(1).norm(dim=1)
            u = adam(u.detach(), g * over((self.clip_gradient / (norm + 1e-6)).clamp(max=1), g))
        with torch.no_grad():
            x_c = x + gamma * u
            x0, eps = clipped(prior, x_c, t, prior.predict(x_c, at(t, x)))
        return u, x0, eps, loss

    def _terminal(self, features: Tensor, h: Tensor) -> Tensor:
        """The fiber loss per draw, (n, d) -> (n,)."""
        difference = features - h
        if self.loss == "l2":
            # a norm has no gradient at zero; a draw on its fiber needs none
            return (difference.square().sum(1) + 1e-24).sqrt()
        if self.loss == "l1":
            return difference.abs().sum(1)
        if self.loss == "squared":
            return difference.square().sum(1)
        return -(h.softmax(1) * F.log_softmax(features, 1)).sum(1)

    def _target(self, problem: Problem, side: Noise, t: Tensor) -> Tensor:
        """h: the given target, or phi of the query re-noised to t and denoised once (Eq. 9)."""
        if self.target == "static":
            return problem.targets
        prior, schedule = problem.prior, problem.prior.schedule
        with torch.no_grad():
            clean = prior.encode(problem.queries)
            fresh = side.normal(prior.state_shape, clean)
            x_t = over(schedule.alpha(t), clean) * clean + over(schedule.sigma(t), clean) * fresh
            x0, _ = clipped(prior, x_t, t, prior.predict(x_t, at(t, x_t)))
            return problem.features(x0)

    def _rate(self, i: int) -> float:
        """Adam's rate at step i of T: linear to zero, constant, or a cosine up from zero."""
        if self.decay == "linear":
            return self.learning_rate * (1 - i / self.steps)
        if self.decay == "cosine":
            return self.learning_rate * 0.5 * (1 - math.cos(math.pi * i / self.steps))
        return self.learning_rate

    @property
    def _noisy(self) -> bool:
        return self.eta > 0 or self.update == "ancestral"

    def _step(
        self, prior: Prior, x: Tensor, x0: Tensor, eps: Tensor, t: Tensor, s: Tensor,
        z: Tensor | None,
    ) -> Tensor:  # fmt: skip
        """From t to s. Ancestral is DDPM's posterior on the prior's own schedule, that is eta = 1.

        Large variance keeps the mean and takes the forward process's variance,
        eta^2 (sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2).
        """
        schedule = prior.schedule
        eta = 1.0 if self.update == "ancestral" else self.eta
        if self.variance == "small" or z is None:
            return step(schedule, x0, eps, t, s, eta, z)
        mean = step(schedule, x0, eps, t, s, eta, torch.zeros_like(x))
        ratio = schedule.alpha(t) / schedule.alpha(s)
        spread = schedule.sigma(t).square() - ratio.square() * schedule.sigma(s).square()
        return mean + over(eta * spread.clamp(min=0).sqrt(), x) * z
