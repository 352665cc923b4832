"""The mixture of the prior: clusters of each digit (Lloyd's algorithm), and a Gaussian in each."""

from __future__ import annotations

import torch
from torch import Tensor

from ..colouring import NOISE
from ..digits import Digits
from ..mixture import Mixture
from ..strokes import Strokes

E = 0.2
"""The environment whose colours the prior knows."""
ROUNDS, FEWEST = 15, 25


def mixture(pool: Digits, strokes: Strokes, clusters: int, rank: int, seed: int) -> Mixture:
    """Fit at most `clusters` components; a cluster of too few digits joins the nearest other.

    Components that are left over have a weight of one in a million.
    """
    generator = torch.Generator().manual_seed(seed)
    z = strokes.encode(pool.images[:, None].repeat(1, 2, 1, 1) / 2)[:, :-1]
    found = Mixture(clusters, z.shape[1], rank)
    sizes, numbers = torch.zeros(clusters), torch.zeros(clusters, dtype=torch.int64)
    place = 0
    for number in range(10):
        rows = z[pool.numbers == number]
        for held in _clusters(rows, clusters // 10, generator):
            _gaussian(found, place, rows[held], rank)
            sizes[place], numbers[place] = int(held.sum()), number
            place += 1
    for label in (0, 1):
        goes_with = ((numbers < 5).long() == label).float()
        weights = sizes * (goes_with * (1 - 2 * NOISE) + NOISE)
        found.weights[label] = (weights / weights.sum()).clamp(min=1e-6)
        found.odds[label] = (1 - E) / E if label else E / (1 - E)
    return found


def _clusters(rows: Tensor, count: int, generator: torch.Generator) -> list[Tensor]:
    """Masks (n,) of rows (n, d)."""
    centers = rows[torch.randperm(len(rows), generator=generator)[:count]]
    for _ in range(ROUNDS):
        nearest = torch.cdist(rows, centers).argmin(1)
        held = nearest.bincount(minlength=len(centers))
        centers = torch.stack([rows[nearest == k].mean(0) for k in held.nonzero().flatten()])
    held = torch.cdist(rows, centers).argmin(1).bincount(minlength=len(centers))
    nearest = torch.cdist(rows, centers[held >= FEWEST]).argmin(1)
    return [nearest == k for k in nearest.unique()]


def _gaussian(found: Mixture, place: int, rows: Tensor, rank: int) -> None:
    mean = rows.mean(0)
    values, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / (len(rows) - 1))
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    found.means[place], found.vectors[place] = mean, vectors[:, :rank]
    found.values[place] = values[:rank]
    found.rest[place] = values[rank:].mean()
