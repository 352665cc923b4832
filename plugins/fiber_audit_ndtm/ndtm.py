"""NDTM with a fiber loss, top to bottom.

Source: Rousselot, Wendebourg, Köthe, arXiv 2603.21782; NDTM: Pandey et al., arXiv 2502.03686.

Notation (paper -> here)
    x_t            x         noisy state; t falls from 1 (noise) to 0 (data), s is the next time
    u_t, gamma_t   u, gamma  control of one step, and its strength: x_t + gamma u is what the
                             network sees, and where the step to s starts
    x0hat, eps     x0, eps   the prior's prediction, clipped; eps is recomputed after clipping
    h_t            h         target: phi(x*), or phi of the query re-noised and denoised at t
    kappa, tau               weights of |gamma u|^2 and of |eps(x_t + gamma u) - eps(x_t)|^2
    N, lr          inner_steps, learning_rate: Adam on u, fresh at every step, from u = 0

Per step, for each draw alone: u = argmin J, J(u) = |phi(decode(x0hat(x + gamma u))) - h|
+ kappa |gamma u|^2 + tau |d eps|^2; then one DDIM step from x + gamma u. README.md lists what
differs from the authors' code.

Evaluations per draw, G of T steps guided: prior T + G N forward, G N backward; extractor G N
forward, G N backward; a re-approximated target adds G forward to both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from fiber_audit.contracts import (
    Count,
    Draws,
    Fraction,
    NonNegative,
    NonNegativeInt,
    Positive,
    Problem,
    Sampler,
)
from fiber_audit.sampling import (
    Noise,
    Trail,
    at,
    denoised,
    in_blocks,
    over,
    rms,
    start,
    step,
    steps,
)

from .adam import Adam
from .renoised import Renoised
from .strength import Strength

Loss = Literal["l2", "l1", "squared", "cross-entropy"]


@dataclass(frozen=True, kw_only=True)
class NDTM(Sampler):
    """The sampler; its fields are the options of the README's table.

    Raises:
        UsageError: guidance is malformed; see `Strength.of`.
    """

    steps: Count = 200
    inner_steps: NonNegativeInt = 10
    guidance: NonNegative | Sequence[Sequence[float]] = 5.0
    learning_rate: Positive = 0.02
    decay: Literal["linear", "constant", "cosine"] = "linear"
    kappa: NonNegative = 0.0003
    tau: NonNegative = 0.0
    eta: Fraction = 1.0
    loss: Loss = "l2"
    target: Literal["static", "reapproximated"] = "static"
    clip_gradient: Positive = 1.0
    variance: Literal["small", "large"] = "small"
    strength: Strength = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", Strength.of(self.guidance))

    @torch.no_grad()
    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; only target = "reapproximated" looks at the queries.

        path: a column per guided step, the fiber loss at its last inner evaluation.
        Diagnostic control_rms: the RMS of gamma u, summed over the steps.
        """
        problem = in_blocks(problem)
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps)
        gammas = [self.strength(float(t)) if self.inner_steps else 0.0 for t in times]
        renoised = Renoised(problem, noise.child("target")) if self.target != "static" else None
        x, h, trail = start(prior, noise, times[0]), problem.targets, Trail(problem)
        moved = x.new_zeros(len(x))
        if renoised and gammas[0]:
            h = renoised.target(times[0])
        for i, (t, s, z) in enumerate(steps(prior, noise, times, self.eta)):
            loss = None
            if gamma := gammas[i]:
                u, loss = self.control(problem, x, t, h, gamma, self.rate(i))
                x, moved = x + gamma * u, moved + rms(gamma * u.flatten(1))
            if renoised and s > 0 and gammas[i + 1]:
                x0, eps, h = renoised.beside(x, t, s)
            else:
                x0, eps = denoised(prior, x, t)
            if z is not None and self.variance == "large":  # the forward process's, same mean
                z = z * over(schedule.sigma(t) / schedule.sigma(s), z)
            x = trail.add(step(schedule, x0, eps, t, s, self.eta, z), loss)
        return trail.finish(x, control_rms=moved)

    def rate(self, i: int) -> float:
        """Adam's rate at step i of T: linear to zero, constant, or a cosine up from zero."""
        done = i / self.steps
        share = {"linear": 1 - done, "constant": 1.0, "cosine": (1 - math.cos(math.pi * done)) / 2}
        return self.learning_rate * share[self.decay]

    def control(
        self, problem: Problem, x: Tensor, t: Tensor, h: Tensor, gamma: float, rate: float
    ) -> tuple[Tensor, Tensor]:
        """Minimise J from u = 0: u like x, and the fiber loss (n,) before its last move."""
        prior, adam = problem.prior, Adam(rate)
        u, phi, free = torch.zeros_like(x), h, None
        for _ in range(self.inner_steps):
            u.requires_grad_()
            with torch.enable_grad():
                x0, eps = prior.predict(x + gamma * u, at(t, x))
                phi = problem.features(x0 if prior.clip is None else x0.clamp(*prior.clip))
                cost = mismatch(self.loss, phi, h)
                if self.kappa:
                    cost = cost + self.kappa * (gamma * u).flatten(1).square().sum(1)
                if self.tau:  # the first control is zero: its eps is the unguided one
                    free = eps.detach() if free is None else free
                    cost = cost + self.tau * (eps - free).flatten(1).square().sum(1)
                (g,) = torch.autograd.grad(cost.sum(), u)
            length = torch.linalg.vector_norm(g.flatten(1), dim=1)
            g = g * over((self.clip_gradient / (length + 1e-6)).clamp(max=1), g)
            u = adam(u.detach(), g)
        return u, rms(phi.detach() - h)


def mismatch(loss: Loss, phi: Tensor, h: Tensor) -> Tensor:
    """The terminal cost of each draw, (n, d) and (n, d) -> (n,).

    Cross-entropy reads both as logits, h as the soft label. The norm's slope at zero is zero.

    >>> phi, h = torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2)
    >>> [mismatch(loss, phi, h).item() for loss in ("l2", "l1", "squared")]
    [5.0, 7.0, 25.0]
    """
    if loss == "cross-entropy":
        return F.cross_entropy(phi, h.softmax(1), reduction="none")
    if loss == "squared":
        return (phi - h).square().sum(1)
    norms: Tensor = torch.linalg.vector_norm(phi - h, ord=1 if loss == "l1" else 2, dim=1)
    return norms
