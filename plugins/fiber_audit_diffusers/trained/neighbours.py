"""Does a prior recite its training data? Distances of draws to the nearest training item."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor


@dataclass(frozen=True)
class Recital:
    """How near draws are to training items, beside items that were held out.

    ratio: median distance of a draw to its nearest training item, over that of a held-out item; 1
        where draws are as new as new data. Much below 1 is memorised (or blurred: blur is near to
        everything).
    copies: share of draws that are nearer than all but one in a hundred held-out items; 0.01 where
        draws are as new as new data.
    """

    ratio: float
    copies: float


def nearest(rows: Tensor, chunks: Iterable[Tensor]) -> Tensor:
    """Euclidean distance of each row (n, ...) to the nearest row of all chunks, (n,) float32.

    >>> nearest(torch.tensor([[0.0], [5.0]]), [torch.tensor([[1.0]]), torch.tensor([[3.0]])])
    tensor([1., 2.])
    """
    flat = rows.flatten(1)
    best = torch.full((len(flat),), torch.inf, device=flat.device)
    for chunk in chunks:
        far = torch.cdist(flat, chunk.to(flat.device).flatten(1))
        best = torch.minimum(best, far.amin(1))
    return best


def recital(of_draws: Tensor, of_held_out: Tensor) -> Recital | None:
    """From distances to the nearest training item; None where there is nothing to compare.

    >>> recital(torch.tensor([1.0, 1.0]), torch.tensor([2.0, 2.0]))
    Recital(ratio=0.5, copies=1.0)
    """
    if not len(of_draws) or not len(of_held_out) or not float(of_held_out.median()):
        return None
    ratio = float(of_draws.median() / of_held_out.median())
    if not isfinite(ratio):
        return None
    near = of_held_out.double().quantile(0.01)
    return Recital(ratio, float((of_draws < near).double().mean()))
