"""Mean and covariance of data that do not fit into memory, in float64, chunk by chunk.

Notation: n items of d numbers; mean m (d,), covariance C = sum (x - m)(x - m)' / (n - 1), its
largest r eigenvalues and their eigenvectors U (d, r). The variance that they leave is spread evenly
over the other d - r directions (probabilistic PCA, Tipping and Bishop, 1999):

    C ~ U diag(values) U' + rest (I - U U')
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

Chunks = Callable[[], Iterable[Tensor]]
"""Reads the data from the start: float64 chunks (k, d)."""

FULL = 4096
"""Up to so many dimensions the covariance is held as a matrix."""
RANK = 512
"""Components above that, unless told."""
MORE, PASSES = 32, 3
"""Extra directions, and passes over the data, of the search for the largest components."""


@dataclass(frozen=True)
class Moments:
    """mean: (d,). vectors: (d, r), orthonormal. values: (r,), falling. rest: variance elsewhere."""

    mean: Tensor
    vectors: Tensor
    values: Tensor
    rest: float
    n: int


def rank_for(n: int, d: int, rank: int = 0) -> int:
    """How many components to keep; rank = 0 is for us to choose.

    All of them where there are more items than dimensions. Fewer items span n - 1 directions, of
    which half are kept: what they say of the others serves as the variance of all directions that
    they say nothing of, so that none is impossible.

    >>> rank_for(1000, 8), rank_for(41, 12_288), rank_for(10_000, 12_288), rank_for(1000, 8, 3)
    (8, 20, 512, 3)
    """
    if rank:
        return min(rank, d, n - 1)
    chosen = d if d <= FULL else RANK
    return chosen if n > d else max(1, min(chosen, (n - 1) // 2))


def moments_of(chunks: Chunks, d: int, rank: int, generator: torch.Generator) -> Moments:
    """Mean and covariance, with 1 <= rank <= min(d, n - 1) components.

    generator: where the search starts, above FULL dimensions.
    """
    n, mean = 0, torch.zeros(d, dtype=torch.float64)
    for chunk in chunks():
        n += len(chunk)
        mean += (chunk - mean).sum(0) / n
    if d <= FULL:
        covariance = torch.zeros(d, d, dtype=torch.float64)
        for chunk in chunks():
            covariance += (chunk - mean).T @ (chunk - mean) / (n - 1)
        total = float(covariance.trace())
        values, vectors = torch.linalg.eigh(covariance)
        values, vectors = values.flip(0)[:rank], vectors.flip(1)[:, :rank]
    else:
        values, vectors, total = _largest(chunks, mean, n, rank, generator)
    values = values.clamp(min=0)
    rest = max(0.0, total - float(values.sum())) / (d - rank) if d > rank else 0.0
    return Moments(mean, vectors.contiguous(), values, rest, n)


def _largest(
    chunks: Chunks, mean: Tensor, n: int, rank: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, float]:
    """Subspace iteration on the data (Halko, Martinsson, Tropp 2011): values, vectors, trace."""
    size = min(rank + MORE, len(mean))
    basis = torch.randn(len(mean), size, dtype=torch.float64, generator=generator)
    for _ in range(PASSES):
        basis = torch.linalg.qr(basis).Q
        image, total = torch.zeros_like(basis), 0.0
        for chunk in chunks():
            rows = chunk - mean
            image += rows.T @ (rows @ basis) / (n - 1)
            total += float(rows.square().sum()) / (n - 1)
        within = basis.T @ image
        basis, basis_before = image, basis
    values, turned = torch.linalg.eigh((within + within.T) / 2)
    values, turned = values.flip(0)[:rank], turned.flip(1)[:, :rank]
    return values, basis_before @ turned, total
