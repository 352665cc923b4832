"""Mean and standard deviation of an image over draws: they show where the network does not look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._score.gallery import Gallery
from .images import data_uri
from .numbers import short


@dataclass(frozen=True)
class Spread:
    """Two pictures as data URIs, and the second in numbers: of the draws and of unguided ones."""

    mean: str
    deviation: str
    told: str


def spreads(gallery: Gallery, queries: int, side: int) -> list[Spread | None]:
    """One for each query; None where fewer than two draws are left, or where they are no images.

    White is the largest standard deviation of unguided draws of any of the queries.
    """
    if gallery.queries.ndim != 4:
        return [None] * queries
    free = [_deviation(gallery.unguided[i][~gallery.unguided_lost[i]]) for i in range(queries)]
    largest = max((float(each.max()) for each in free if each is not None), default=0.0)
    return [_spread(gallery, i, free[i], largest or 1.0, side) for i in range(queries)]


def _spread(
    gallery: Gallery, i: int, free: np.ndarray | None, white: float, side: int
) -> Spread | None:
    draws = gallery.draws[i][~gallery.lost[i]]
    found = _deviation(draws)
    if found is None:
        return None
    told = short(float(found.mean()))
    if free is not None:
        told += f"; of unguided draws {short(float(free.mean()))}"
    return Spread(
        mean=data_uri(draws.mean(axis=0, dtype=np.float64), side),
        deviation=data_uri(found[None] / white, side),
        told=told,
    )


def _deviation(draws: np.ndarray) -> np.ndarray | None:
    """(n, c, h, w) -> (h, w), the root mean square over channels of the standard deviation."""
    if len(draws) < 2:
        return None
    return np.sqrt(draws.astype(np.float64).var(axis=0, ddof=1).mean(axis=0))
