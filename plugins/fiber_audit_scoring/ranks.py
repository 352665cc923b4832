"""Is the rank of one number among k others uniform, as it is where all are of one law?

Notation
    k       draws of a query; its rank among them is 0 to k
    n_b     queries whose rank falls into bin b of B
    X2      sum_b (n_b - q / B)^2 / (q / B), chi-square with B - 1 degrees of freedom
    e       unevenness: the relative deviation of a bin from q / B, root mean square over the bins

With unequal bins X2 is chi-square with noncentrality q e^2, so e has an unbiased square (X2 - (B -
1)) / q, an interval, and a number of queries that would show it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Array = NDArray[np.float64]
ROUNDING = 1e-6
"""Of the spread of all numbers: what is nearer than that is a tie."""
EXPECTED = 5
"""The least number of queries in a bin for which X2 is nearly chi-square."""
MOST_BINS = 20
POWER = 0.9


def uniform_ranks(own: Array, others: Array, rng: np.random.Generator) -> Array:
    """Where own (q,) stands among others (q, k), as a number from 0 to 1: (q,).

    Ties are broken by rng, and so is the place within a rank, so that it is exactly uniform under
    the null whatever k is and however many ties there are. Others may hold NaN, which do not count;
    where all do, the result is NaN.

    >>> rng = np.random.default_rng(0)
    >>> others = np.array([[1.0, 2.0, 7.0], [1.0, 2.0, np.nan]])
    >>> at = uniform_ranks(np.array([5.0, 0.0]), others, rng)
    >>> float(at[0] * 4 // 1), float(at[1] * 3 // 1)
    (2.0, 0.0)
    """
    known = ~np.isnan(others)
    every = np.concatenate([own, others[known]])
    near = ROUNDING * float(np.std(every))
    apart = others - own[:, None]
    below = (known & (apart < -near)).sum(axis=1)
    ties = (known & (np.abs(apart) <= near)).sum(axis=1)
    k = known.sum(axis=1)
    place = below + rng.random(len(own)) * (ties + 1)
    return np.where(k > 0, place / (k + 1), np.nan)


@dataclass(frozen=True)
class Uniformity:
    """How uniform the ranks of q queries are. counts: (B,), queries in each bin."""

    counts: tuple[int, ...]

    @property
    def q(self) -> int:
        """Queries."""
        return sum(self.counts)

    @property
    def df(self) -> int:
        """Degrees of freedom, B - 1."""
        return len(self.counts) - 1

    @property
    def x2(self) -> float:
        """The X2 of the module."""
        expected = self.q / len(self.counts)
        return float(np.square(np.array(self.counts) - expected).sum() / expected)

    @property
    def p(self) -> float:
        """The probability of so uneven ranks or more, were they uniform."""
        return float(special.chdtrc(self.df, self.x2))

    @property
    def unevenness(self) -> float:
        """The e of the module; 0 where the bins are as even as chance makes them."""
        return math.sqrt(max(0.0, self.x2 - self.df) / self.q)

    def interval(self, alpha: float) -> tuple[float, float]:
        """Of the unevenness: what holds it with probability 1 - alpha."""
        ends = (self._noncentrality(share) for share in (1 - alpha / 2, alpha / 2))
        low, high = (math.sqrt(end / self.q) for end in ends)
        return low, high

    def _noncentrality(self, share: float) -> float:
        """At which X2 is not above what was seen, with this probability."""

        def off(noncentrality: float) -> float:
            return float(special.chndtr(self.x2, self.df, noncentrality)) - share

        if off(0.0) <= 0:
            return 0.0  # so even that no unevenness explains it
        return float(optimize.brentq(off, 0.0, 10 * (self.x2 + self.df + 20), xtol=1e-6))


def uniformity(at: Array, k: int) -> Uniformity:
    """The numbers of `uniform_ranks` in k + 1 bins, or in fewer where there are few queries.

    >>> uniformity(np.array([0.1, 0.3, 0.6, 0.9] * 5), 3).counts
    (5, 5, 5, 5)
    """
    known = at[~np.isnan(at)]
    bins = max(2, min(k + 1, MOST_BINS, len(known) // EXPECTED))
    counts = np.bincount((known * bins).astype(int), minlength=bins)
    return Uniformity(tuple(counts.tolist()))


def queries_needed(unevenness: float, df: int, alpha: float) -> int:
    """How many queries show an unevenness, at level alpha in nine of ten runs.

    >>> queries_needed(0.2, df=9, alpha=0.05)
    496
    """
    critical = float(special.chdtri(df, alpha))

    def off(noncentrality: float) -> float:
        return 1 - POWER - float(special.chndtr(critical, df, noncentrality))

    return math.ceil(optimize.brentq(off, 0.0, 20 * (critical + 20)) / unevenness**2)
