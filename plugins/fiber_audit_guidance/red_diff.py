"""RED-diff: optimise one state per draw under the prior's denoising error; no walk, no noise left.

Source: Mardani et al., "A Variational Perspective on Solving Inverse Problems with Diffusion
Models", ICLR 2024, algorithm 1. For t from noisy to clean, one Adam step (betas .9, .99) on

    v/2 mean(r(mu)^2) + w_t mean(sg(eps(x_t, t) - e) mu),    x_t = alpha_t mu + sigma_t e

with w_t = lambda sigma_t / alpha_t and fresh noise e. v is `strength`, lambda `regularisation`. mu
starts from an unguided draw of the prior (a fiber has no pseudo-inverse); at strength 0 there is
nothing to fit and that draw is returned. Mode-seeking by construction: the draws of one query
contract to where fit and prior agree, so it fails the law of the closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fiber_audit.contracts import Count, Draws, NonNegative, Positive, Problem, Sampler
from fiber_audit.sampling import Noise, Trail, at, in_blocks, over, rms, unguided

from .unconditional import Unconditional


@dataclass(frozen=True, kw_only=True)
class REDDiff(Sampler):
    """Per step: one forward of the prior, one forward and backward of the extractor."""

    strength: NonNegative = 1.0
    steps: Count = 400
    rate: Positive = 0.05
    regularisation: NonNegative = 0.25
    start_steps: Count = 50

    @torch.no_grad()
    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`."""
        if self.strength == 0:
            return Unconditional(steps=self.start_steps).sample(problem, noise)
        problem = in_blocks(problem)
        prior, schedule = problem.prior, problem.prior.schedule
        mu = unguided(prior, noise, self.start_steps).requires_grad_()
        adam = torch.optim.Adam([mu], lr=self.rate, betas=(0.9, 0.99))
        trail, side = Trail(problem), noise.child("red-diff")
        for t in schedule.times(self.steps)[:-1]:
            alpha, sigma = schedule.alpha(t), schedule.sigma(t)
            e = side.normal(prior.state_shape, mu)
            if alpha == 0:
                continue  # a flow at t = 1: x_t says nothing about mu
            x_t = over(alpha, mu) * mu + over(sigma, mu) * e
            pull = over(sigma / alpha, mu) * (prior.predict(x_t, at(t, mu)).eps - e)
            with torch.enable_grad():
                residual = problem.features(mu) - problem.targets
                fit = 0.5 * self.strength * residual.square().mean(1)
                score = self.regularisation * (pull * mu).flatten(1).mean(1)
                (mu.grad,) = torch.autograd.grad((fit + score).sum(), mu)
            adam.step()
            mu.copy_(trail.add(mu, rms(residual.detach())))
        return trail.finish(mu if prior.clip is None else mu.clamp(*prior.clip))
