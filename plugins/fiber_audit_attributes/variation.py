"""How much does an attribute vary along a fiber, as a share of how much it varies at all?

Notation
    h           the features of a query
    x, x'       two draws of the same query, both on the fiber of h
    u, u'       two unguided draws of the prior, from the same noise
    a(x)        the attribute: a number (or m numbers), or a class
    F(a)        the rank of a number among unguided draws, 0 to 1, ties in the middle
    d(a, a')    (F(a) - F(a'))^2 / 2, summed over the m numbers; for classes 0 or 1
    D, D_0      E d(a(x), a(x')) and E d(a(u), a(u')), over pairs of one query, then over queries

    index = D / D_0

For a number D_0 is the variance of its rank and D the mean of its variance given the features, so
that index = 1 - rho, where rho is Spearman's correlation of two draws of one fiber: the share of
the variance that the features determine (the correlation ratio of Pearson, 1905, on ranks). Where a
and h are jointly Gaussian, and h determines the share R^2 of the variance of a,

    index = 1 - 6 / pi arcsin(R^2 / 2),

which is within .02 of 1 - R^2 (Pearson 1907, see Kruskal, "Ordinal measures of association", JASA
1958, eq. 6.1). Ranks make it the same in every unit and on every scale, say of logarithms, and keep
a few strange draws from deciding it. For classes E d is Gini's impurity 1 - sum_c p_c^2 (Light &
Margolin, "An analysis of variance for categorical data", JASA 1971). Pairs of different draws make
D unbiased for any number of draws.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kind = Literal["number", "class"]

TOGETHER = 1 << 16
"""Numbers that are dealt anew at once: numpy's calls cost more than so few of them."""


def ranked(values: Array, among: Array) -> Array:
    """F: the rank of numbers (..., m) among others (..., m), column by column; NaN stays NaN.

    >>> ranked(np.array([[1.0], [2.5], [9.0], [np.nan]]), np.array([[1.0], [2.0], [3.0], [4.0]]))
    array([[0.125],
           [0.5  ],
           [1.   ],
           [  nan]])
    """
    found = np.full(values.shape, np.nan)
    for column in range(values.shape[-1]):
        known = np.sort(among[..., column][~np.isnan(among[..., column])])
        here = values[..., column]
        low, high = (np.searchsorted(known, here, side=side) for side in ("left", "right"))
        found[..., column] = np.where(np.isnan(here), np.nan, (low + high) / 2 / max(len(known), 1))
    return found


def of_pairs(values: Array, kind: Kind) -> Array:
    """Mean d of the pairs of each query's draws: (q, k, m) -> (q,); NaN where there is no pair.

    A lost draw is NaN, and costs its pairs.

    >>> of_pairs(np.array([[[0.0], [2.0], [4.0]]]), "number")  # the variance of 0, 2, 4
    array([4.])
    >>> of_pairs(np.array([[[0.0], [1.0], [1.0], [np.nan]]]), "class").round(4)
    array([0.6667])
    """
    known = np.asarray(~np.isnan(values).any(axis=2))
    count = known.sum(axis=1).astype(np.float64)
    pairs = np.where(count > 1, count * (count - 1) / 2, np.nan)
    if kind == "number":
        zeroed = np.where(known[:, :, None], values, 0.0)
        mean = zeroed.sum(axis=1) / np.maximum(count, 1)[:, None]
        apart = np.where(known[:, :, None], values - mean[:, None], 0.0)
        return np.asarray((apart**2).sum(axis=(1, 2)) * count / 2 / pairs)
    classes = np.unique(values[known])
    alike = np.zeros(len(values))
    for each in classes:
        held = (values[:, :, 0] == each).sum(axis=1)
        alike += held * (held - 1) / 2
    return np.asarray(1 - alike / pairs)


def from_query(values: Array, own: Array, kind: Kind) -> Array:
    """The d of each draw and its query: (q, k, m) and (q, m) -> (q, k); NaN for a lost draw.

    >>> from_query(np.array([[[1.0], [3.0]]]), np.array([[1.0]]), "number")
    array([[0., 2.]])
    """
    known = np.asarray(~np.isnan(values).any(axis=2))
    apart = values - own[:, None]
    found = (apart**2).sum(axis=2) / 2 if kind == "number" else (apart[:, :, 0] != 0).astype(float)
    return np.where(known, found, np.nan)


def permuted(values: Array, kind: Kind, times: int, rng: np.random.Generator) -> Array:
    """Mean of `of_pairs` after the draws were dealt to the queries anew: (times,).

    What it would be if draws of one query had no more in common than draws of different ones.
    """
    q, k, m = values.shape
    draws, at_once = values.reshape(q * k, m), max(1, TOGETHER // values.size)
    found = np.empty(times)
    for start in range(0, times, at_once):
        several = range(start, min(start + at_once, times))
        dealt = np.stack([rng.permutation(draws) for _ in several]).reshape(-1, k, m)
        found[several] = np.nanmean(of_pairs(dealt, kind).reshape(-1, q), axis=1)
    return found
