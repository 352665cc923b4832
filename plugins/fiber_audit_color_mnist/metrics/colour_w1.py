"""Wasserstein-1 distance of the drawn colours to their law, in units of colour."""

from __future__ import annotations

import numpy as np

from .colour_law import BINS, Array, ColourLaw


def wasserstein(counts: Array, q: Array) -> float:
    """Bin width x sum |CDF difference|, mean over channels; counts (c, BINS), masses q (BINS,).

    >>> shifted = np.zeros((1, 100)); shifted[0, 32] = 7.0
    >>> point = np.zeros(100); point[12] = 1.0
    >>> round(wasserstein(shifted, point), 12)
    0.2
    """
    p = counts / counts.sum(-1, keepdims=True)
    return float(np.abs(np.cumsum(p - q, axis=-1)).sum(-1).mean() / BINS)


class ColourW1(ColourLaw):
    """`colour_w1`, 0 to 1, where 1 is from black to white; statistics as for `ColourLaw`."""

    unit = "colour"

    def distance(self, counts: Array, q: Array) -> float:
        """See `wasserstein`."""
        return wasserstein(counts, q)
