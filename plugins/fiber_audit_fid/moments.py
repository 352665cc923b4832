"""Mean and covariance of features in float64, mergeable over any grouping of the rows.

Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
variances", 1979. Rows are centred before they are squared, so that features with a large mean and
a small spread keep all their digits, even when they arrive as float32.

Notation
    n    number of rows
    mu   mean, (d,)
    M2   sum of outer products of the centred rows, (d, d); the covariance is M2 / (n - 1)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from fiber_audit import UsageError

Array = np.ndarray

LARGEST = 1e70
"""Of a centred feature; beyond it squares and their sums would soon leave float64."""


def matrix(features: Any, name: str = "features") -> Array:
    """Features (n, d), a tensor or an array of any float type -> (n, d) float64, finite.

    Raises UsageError where they are not a table of at least one row and column, or not finite.
    """
    if hasattr(features, "detach"):
        features = features.detach().cpu().double().numpy()
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or 0 in rows.shape:
        raise UsageError(f"{name} has shape {rows.shape}: give (n, d) with n and d at least 1.")
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(rows.sum()):  # one pass settles it, but for sums that overflow
            return rows
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise UsageError(
            f"{name} has {len(bad)} of {len(rows)} rows that are not finite, the first is row "
            f"{bad[0]}: leave such rows out and say so, or mend the extractor."
        )
    return rows


def centred(rows: Array) -> tuple[Array, Array]:
    """(mean, rows - mean) of rows (n, d) float64; exactly 0 where all rows are the same.

    Raises UsageError where what is left is too large to be squared.

    >>> centred(np.full((3, 1), 0.1))[1].tolist()  # although 0.1 is not their computed mean
    [[0.0], [0.0], [0.0]]
    """
    with np.errstate(over="ignore", invalid="ignore"):  # told of below
        mean = rows.mean(axis=0)
        if len(same := np.flatnonzero(rows[0] == rows[-1])):  # few, or none, are all the same
            same = same[(rows[:, same] == rows[0, same]).all(axis=0)]
            mean[same] = rows[0, same]
        left = rows - mean
    if not np.abs(left).max() <= LARGEST:
        raise too_large()
    return mean, left


def too_large() -> UsageError:
    """The error of features that cannot be squared."""
    return UsageError("the features are too large to be squared in float64: scale them down.")


@dataclass(frozen=True)
class Moments:
    """What a Fréchet distance needs to know of a set: n, mean (d,) and M2 (d, d), float64.

    >>> a, b = Moments.of([[0.0], [2.0]]), Moments.of([[7.0]])
    >>> whole = a.merge(b)
    >>> whole.n, whole.mean.item(), whole.covariance.item()
    (3, 3.0, 13.0)
    """

    n: int
    mean: Array
    m2: Array

    @classmethod
    def of(cls, features: Any) -> Moments:
        """Moments of one batch (n, d)."""
        mean, left = centred(matrix(features))
        rounding = left.mean(axis=0)  # what it left in the mean
        left -= rounding
        return cls(len(left), mean + rounding, left.T @ left)

    @classmethod
    def of_batches(cls, batches: Iterable[Any]) -> Moments:
        """Moments of all batches together; memory holds one batch at a time."""
        return reduce(Moments.merge, map(cls.of, batches))

    @classmethod
    def given(cls, mean: Any, covariance: Any, n: int) -> Moments:
        """Moments from published statistics: mean (d,), covariance (d, d) over n - 1, and n."""
        mu, sigma = np.asarray(mean, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
        if mu.ndim != 1 or not len(mu) or sigma.shape != (len(mu), len(mu)):
            raise UsageError(
                f"mean has shape {mu.shape} and covariance {sigma.shape}: give (d,) and (d, d)."
            )
        if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
            raise UsageError("the given mean or covariance is not finite: compute it again.")
        if n < 2:
            raise UsageError(f"n = {n}: a covariance needs at least 2 rows.")
        if np.abs(sigma).max(initial=0.0) > LARGEST**2:
            raise too_large()
        return cls(n, mu, (sigma + sigma.T) / 2 * (n - 1))

    def merge(self, other: Moments) -> Moments:
        """Moments of both sets together."""
        if self.mean.shape != other.mean.shape:
            raise UsageError(
                f"cannot merge moments of {len(self.mean)} and {len(other.mean)} features: "
                "take both from one extractor."
            )
        with np.errstate(over="ignore"):
            n, delta = self.n + other.n, other.mean - self.mean
        if np.abs(delta).max() > LARGEST:
            raise too_large()
        mean = self.mean + delta * (other.n / n)
        correction = np.outer(delta, delta) * (self.n * other.n / n)
        return Moments(n, mean, self.m2 + other.m2 + correction)

    @property
    def covariance(self) -> Array:
        """M2 / (n - 1), (d, d). Raises UsageError at n = 1."""
        if self.n < 2:
            raise UsageError(f"n = {self.n}: a covariance needs at least 2 rows; add samples.")
        return self.m2 / (self.n - 1)
