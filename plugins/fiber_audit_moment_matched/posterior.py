"""x_0 given x_t as the prior sees it: a mean, and products with a covariance."""

from __future__ import annotations

import torch
from torch import Tensor

from fiber_audit import Schedule, at, clipped, over
from fiber_audit.contracts import Prediction, Prior

NOISIEST = 50.0
"""sigma / alpha up to which V is computed; beyond, it is the network's error, amplified."""


class Posterior:
    """mean, eps: the clipped prediction at x (n, ...), by one evaluation of the prior."""

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


def noisiest_time(schedule: Schedule) -> Tensor:
    """The last time, of a thousand, at which V can be computed: float64, a scalar.

    >>> from fiber_audit import FlowSchedule
    >>> round(noisiest_time(FlowSchedule()).item(), 3)
    0.98
    """
    times = torch.linspace(0, 1, 1001, dtype=torch.float64)[1:]
    return times[schedule.sigma(times) <= NOISIEST * schedule.alpha(times)][-1]
