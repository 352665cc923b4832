"""Weighted particles: K for each of n draws, log weights (n, K). No draw looks at another's."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def shares(log_weights: Tensor) -> Tensor:
    """Weights (n, K) that sum to 1; uniform where a draw has none.

    >>> shares(torch.tensor([[0.0, 0.0], [-torch.inf, -torch.inf]]))
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])
    """
    dead = ~log_weights.isfinite().any(1, keepdim=True)
    return log_weights.masked_fill(dead, 0.0).softmax(1)


def effective(log_weights: Tensor) -> Tensor:
    """Effective sample size as a share of K: (n, K) -> (n,), from 1 / K to 1. Source: Kong, 1992.

    >>> effective(torch.tensor([[0.0, 0.0, -torch.inf, -torch.inf]]))
    tensor([0.5000])
    """
    return 1 / (shares(log_weights).square().sum(1) * log_weights.shape[1])


def chosen(weights: Tensor, uniform: Tensor) -> Tensor:
    """Particles drawn by weights (n, K) that sum to 1, by uniform numbers (n, m): (n, m) int64."""
    sums = weights.cumsum(1)
    found = torch.searchsorted((sums / sums[:, -1:]).contiguous(), uniform.contiguous())
    return found.clamp(max=weights.shape[1] - 1)


def resampled(
    log_weights: Tensor, uniform: Tensor, below: float, *, keep_first: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Ancestors (n, K), log weights (n, K), and which draws (n,) were resampled.

    A draw is resampled where its effective sample size is below a share of K; its particles then
    share their mean weight. keep_first: the first particle is its own ancestor, whatever its
    weight, as conditional sequential Monte Carlo asks (Andrieu et al., 2010).
    """
    n, k = log_weights.shape
    few = effective(log_weights) < below
    ancestors = chosen(shares(log_weights), uniform)
    if keep_first:
        ancestors[:, 0] = 0
    own = torch.arange(k, device=log_weights.device).expand(n, k)
    mean = torch.logsumexp(log_weights, 1, keepdim=True) - math.log(k)
    return (
        torch.where(few[:, None], ancestors, own),
        torch.where(few[:, None], mean.expand(n, k), log_weights),
        few,
    )


def take(rows: Tensor, index: Tensor) -> Tensor:
    """Particles by their number within the draw: rows (n K, ...), index (n, m) -> (n m, ...)."""
    n = len(index)
    first = torch.arange(n, device=index.device)[:, None] * (len(rows) // n)
    return rows[(first + index).flatten()]
