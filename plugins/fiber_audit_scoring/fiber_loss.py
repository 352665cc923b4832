"""Is a draw on the fiber? Distances in features, in two units that must not be confused.

    rms    sqrt(mean_j (phi(x)_j - h_j)^2)       the paper's Color MNIST and HTRU2 tables
    sq     sum_j (phi(x)_j - h_j)^2 = d rms^2    the paper's ImageNet tables

phi(x), h are the features of a draw and its target, (d,). Source: Rousselot, Wendebourg, Köthe,
arXiv 2603.21782.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fiber_audit.contracts import Part, Statistic
from fiber_audit.measuring import (
    Observations,
    measured,
    measured_pairs,
    median,
    per_query,
    undefined,
)

from .feature_distance import FeatureDistance

Array = NDArray[np.float64]


def sum_of_squares(loss: Array, d: int) -> Array:
    """RMS difference of d features -> sum of their squared differences, any shape, float64.

    >>> sum_of_squares(np.array([0.5, 2.0]), d=48)
    array([ 12., 192.])
    """
    return np.asarray(d * np.square(loss))


class FiberLossRMS(FeatureDistance):
    """`fiber_loss_rms`: RMS feature distance of draws to their targets, in units of the features.

    Statistics: mean (also per query) and median of the draws; and for scale random_pairs (pairs of
    queries), ceiling, unguided and, for lossy priors, reconstruction_gap: see
    `FiberLossRelative`. n counts draws, pairs or queries; uncertainty is over queries.
    """

    unit = "feature"

    def convert(self, loss: Array, d: int) -> Array:
        """RMS difference of d features -> this metric's unit, any shape."""
        return loss

    def summarise(self, seen: Observations) -> list[Statistic]:
        """The statistics above, and the mean of each query."""
        seed, d = seen.seed, seen.targets.shape[1]
        loss = self.convert(seen.draws("distance"), d)
        found = [
            measured("mean", loss, seed=seed, scale="positive"),
            measured("median", loss, median, seed=seed),
        ]
        if seen.null.size:
            found.append(measured_pairs("random_pairs", self.convert(seen.null, d), seed=seed))
        else:
            why = "one query has no random pairs; use two or more"
            found.append(undefined("random_pairs", why))
        scale: dict[str, Part] = {"ceiling": "jittered", "unguided": "unguided"}
        if not seen.lossless:
            scale["reconstruction_gap"] = "reconstructions"
        for name, part in scale.items():
            distance = self.convert(seen.of(part, "distance"), d)
            found.append(measured(name, distance, seed=seed, scale="positive"))
        return found + per_query(seen.ids, loss)


class FiberLossSquared(FiberLossRMS):
    """`fiber_loss_sq`: sum of squared feature differences; statistics as for `FiberLossRMS`."""

    unit = "feature squared"

    def convert(self, loss: Array, d: int) -> Array:
        """D times the square."""
        return sum_of_squares(loss, d)
