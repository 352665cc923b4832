"""Kullback-Leibler divergence of drawn colours from their law (arXiv 2603.21782, section 4.1)."""

from __future__ import annotations

import numpy as np

from .colour_law import Array, ColourLaw


def kl_divergence(counts: Array, q: Array) -> float:
    """Mean over channels of sum p log(p / q), in nats, of counts (c, bins) and masses q (bins,).

    Bins where q is 0, and the divergence therefore infinite, are dropped, as in the paper.

    >>> round(kl_divergence(np.array([[3.0, 1.0], [2.0, 2.0]]), np.array([0.5, 0.5])), 6)
    0.065406
    """
    p = counts / counts.sum(-1, keepdims=True)
    inside = (p > 0) & (q > 0)
    ratio = np.divide(p, q, out=np.ones_like(p), where=inside)
    return float((np.where(inside, p, 0) * np.log(ratio)).sum(-1).mean())


class ColourKL(ColourLaw):
    """`colour_kl`, in nats; statistics as for `ColourLaw`."""

    unit = "nat"

    def distance(self, counts: Array, q: Array) -> float:
        """See `kl_divergence`."""
        return kl_divergence(counts, q)
