"""x_0 given x_t as the prior sees it: a mean, and products with a covariance."""

from __future__ import annotations

import torch
from torch import Tensor

from fiber_audit import at, clipped
from fiber_audit.contracts import Prediction, Prior


class Posterior:
    """mean and eps: the clipped prediction at x (n, ...), one evaluation of the prior."""

    def __init__(self, prior: Prior, x: Tensor, t: Tensor) -> None:
        with torch.enable_grad():
            self._x = x.detach().requires_grad_()
            self._x0, eps = prior.predict(self._x, at(t, x))
        raw = Prediction(self._x0.detach(), eps.detach())
        self.mean, self.eps = clipped(prior, x, t, raw)
        alpha, sigma = prior.schedule.alpha(t), prior.schedule.sigma(t)
        self._scale = float(sigma.square() / alpha.clamp(min=1e-12))

    def covariance(self, v: Tensor) -> Tensor:
        """V v with V = (sigma^2 / alpha) dx0/dx_t, Tweedie's second moment, by one backward pass.

        The Jacobian of an exact posterior mean is symmetric, so its transpose serves.
        """
        (pulled,) = torch.autograd.grad(self._x0, self._x, v, retain_graph=True)
        return self._scale * pulled
