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
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from fiber_audit import Noise, UsageError, at, clipped, finish, over, rms, start, step
from fiber_audit.contracts import Draws, Problem, Sampler

from .adam import Adam
from .renoised import Renoised
from .strength import Strength


@dataclass(frozen=True)
class NDTM(Sampler):
    """The sampler; its fields are the options of the README's table.

    Raises:
        UsageError: eta beside update = "ancestral", which is eta = 1.
    """

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

    def __post_init__(self) -> None:
        if self.update == "ancestral" and self.eta != 1:
            raise UsageError(
                f"eta = {self.eta}: the ancestral update is DDIM at eta = 1 and takes no other; "
                f"leave eta out, or set update = 'ddim'."
            )

    @torch.no_grad()
    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; only target = "reapproximated" looks at the queries.

        path: a column per guided step, the fiber loss at its last inner evaluation.
        Diagnostic control_rms: the RMS of gamma u, summed over the steps.
        """
        prior, schedule = problem.prior, problem.prior.schedule
        times = schedule.times(self.steps)
        gammas = [self.strength(float(t)) if self.inner_steps else 0.0 for t in times]
        renoised = Renoised(problem, noise.child("target")) if self.target != "static" else None
        x, h, path = start(prior, noise, times[0]), problem.targets, []
        moved, finite = x.new_zeros(len(x)), x.new_ones(len(x), dtype=torch.bool)
        if renoised and gammas[0]:
            h = renoised.target(times[0])
        for i, (t, s) in enumerate(pairwise(times)):
            if gamma := gammas[i]:
                u, loss = self.control(problem, x, t, h, gamma, self.rate(i))
                x = x + gamma * u
                moved = moved + rms(gamma * u.flatten(1))
                path.append(loss)
            if renoised and s > 0 and gammas[i + 1]:
                x0, eps, h = renoised.beside(x, t, s)
            else:
                x0, eps = clipped(prior, x, t, prior.predict(x, at(t, x)))
            z = noise.normal(prior.state_shape, x) if self.eta > 0 and s > 0 else None
            if z is not None and self.variance == "large":  # the forward process's, same mean
                z = z * over(schedule.sigma(t) / schedule.sigma(s), z)
            x = step(schedule, x0, eps, t, s, self.eta, z)
            ok = x.flatten(1).isfinite().all(1)
            finite = finite & ok
            x = torch.where(over(ok, x).bool(), x, 0.0)  # a lost draw goes on from zero, marked
        return finish(problem, x, path, finite, {"control_rms": torch.where(finite, moved, 0.0)})

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


def mismatch(loss: str, phi: Tensor, h: Tensor) -> Tensor:
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
