"""The re-approximated target: phi of the query, re-noised to t and denoised once.

Source: Rousselot, Wendebourg, Köthe, arXiv 2603.21782, Eq. 9 of the revision.

    x'_t = alpha_t x* + sigma_t eps', eps' fresh at every t        h_t = phi(decode(x0hat(x'_t)))

Early estimates of x0 are blurred; matching them to features of the sharp query over-textures the
draw, so the query is blurred alike. It is the one option that lets a sampler see its query.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fiber_audit.contracts import Problem
from fiber_audit.sampling import Noise, at, clipped, denoised, over


class Renoised:
    """The queries of a problem, encoded once, and a noise of their own."""

    def __init__(self, problem: Problem, noise: Noise) -> None:
        self.problem, self.noise = problem, noise
        with torch.no_grad():
            self.clean = problem.prior.encode(problem.queries)

    @torch.no_grad()
    def target(self, t: Tensor) -> Tensor:
        """h_t, (n, d)."""
        return self.problem.features(denoised(self.problem.prior, self._noisy(t), t).x0)

    @torch.no_grad()
    def beside(self, x: Tensor, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The clipped x0, eps at (x, t) and h_s, from one batch of the prior."""
        both = torch.cat([x, self._noisy(s)])
        prior = self.problem.select(torch.arange(len(x), device=x.device).repeat(2)).prior
        when = torch.cat([at(t, x), at(s, x)])
        x0, eps = clipped(prior, both, when, prior.predict(both, when))
        n = len(x)
        return x0[:n], eps[:n], self.problem.features(x0[n:])

    def _noisy(self, t: Tensor) -> Tensor:
        prior, x = self.problem.prior, self.clean
        alpha, sigma = prior.schedule.alpha(t), prior.schedule.sigma(t)
        return over(alpha, x) * x + over(sigma, x) * self.noise.normal(prior.state_shape, x)
