"""What a particle sees from x_t: where it is going, and how its features depend on the next state.

Notation, for each row: x0 mean, V covariance of x_0 given x_t (Tweedie), J Jacobian of the m
features looked at, W'phi(decode(.)), at x0; r = W'h - W'phi(x0) what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from fiber_audit.contracts import Problem
from fiber_audit.sampling import noise_of, rms

from .gauss_newton import Posterior
from .moment_matched import noisiest_time


class View:
    """A problem whose features are looked at in a few directions W (d_h, m).

    m is even, as in `subspace.py`: the last direction may be zero, which sees nothing.
    """

    def __init__(self, problem: Problem, directions: Tensor) -> None:
        self.problem, self.prior = problem, problem.prior
        self.seeing = directions.shape[1]
        self.directions = pad(directions, (0, self.seeing % 2))

    def missing(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """W'h - W'phi(decode(x)), and the fiber loss in all features: -> (n, m), (n,)."""
        left = self.problem.targets - self.problem.features(x)
        each = self.directions.expand(len(left), -1, -1)  # one product per row
        return torch.bmm(left[:, None], each)[:, 0], rms(left.detach())


@dataclass(frozen=True)
class Sight:
    """mean, eps (n, *state_shape); fiber loss (n,); r (n, m); moves J V (n, m, d); J V J'."""

    mean: Tensor
    eps: Tensor
    loss: Tensor
    residual: Tensor
    moves: Tensor
    spread: Tensor


def looked(view: View, x: Tensor, t: Tensor, probes: Tensor) -> Sight:
    """Look from x (n, *state_shape) at time t: one forward and m backwards of both networks.

    Where the state is noise only, and V not yet known, it is looked at as in `moment_matched.py`.
    """
    schedule = view.prior.schedule
    posterior = Posterior(view.prior, x, torch.minimum(t, noisiest_time(schedule)))
    eps = noise_of(schedule, x, posterior.mean, t)
    with torch.enable_grad():
        mean = posterior.mean.detach().requires_grad_()
        left, loss = view.missing(mean)
    pulls, moves = [], []
    for w in torch.eye(left.shape[1], device=x.device)[: view.seeing]:
        (g,) = torch.autograd.grad(left, mean, -w.expand_as(left), retain_graph=True)
        pulls.append(g.flatten(1))
        moves.append(posterior.covariance(g).flatten(1))
    blind = (0, 0, 0, left.shape[1] - view.seeing)
    j, jv = pad(torch.stack(pulls, dim=1), blind), pad(torch.stack(moves, dim=1), blind)
    bent = _bent(view, posterior.mean, left.detach(), j, probes)
    middle = _mean(bent)
    curved = _mean([(b - middle)[:, :, None] * (b - middle)[:, None] for b in bent])
    spread = _semidefinite(j @ jv.mT) + curved
    return Sight(posterior.mean, eps, loss, left.detach() - middle, jv, spread)


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    """Summed one after the other: a row is rounded alike, however many there are."""
    total = torch.zeros_like(tensors[0])
    for tensor in tensors:
        total = total + tensor
    return total / len(tensors)


def _bent(view: View, mean: Tensor, left: Tensor, j: Tensor, probes: Tensor) -> list[Tensor]:
    """What phi adds to its linear model at each of the probes around x0: (n, m)."""
    found = []
    with torch.no_grad():
        for e in probes:
            ahead, _ = view.missing(mean + e)
            found.append(left - ahead - (j @ e.flatten()[None, :, None])[:, :, 0])
    return found


def _semidefinite(a: Tensor) -> Tensor:
    """The positive part of (n, m, m): a trained denoiser's V is only nearly a covariance."""
    a = (a + a.mT) / 2
    broken = ~a.flatten(1).isfinite().all(1)
    values, vectors = torch.linalg.eigh(a.masked_fill(broken[:, None, None], 0.0))
    found = (vectors * values.clamp(min=0)[:, None]) @ vectors.mT
    return found.masked_fill(broken[:, None, None], torch.nan)
