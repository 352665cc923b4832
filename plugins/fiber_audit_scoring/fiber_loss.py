"""Is a draw on the fiber? Distances in features, in two units that must not be confused.

    rms    sqrt(mean_j (phi(x)_j - h_j)^2)       the paper's Color MNIST and HTRU2 tables
    sq     sum_j (phi(x)_j - h_j)^2 = d rms^2    the paper's ImageNet tables

phi(x), h are the features of a draw and its target, (d,). Source: Rousselot, Wendebourg, Köthe,
arXiv 2603.21782.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fiber_audit.context import Context
from fiber_audit.contracts import Axis, Better, Measurement, Metric
from fiber_audit.sampling import rms
from fiber_audit.uncertainty import measured, undefined

from .per_query import per_query


def sum_of_squares(loss: np.ndarray, d: int) -> np.ndarray:
    """RMS difference of d features -> sum of their squared differences, any shape, float64.

    >>> sum_of_squares(np.array([0.5, 2.0]), d=48)
    array([ 12., 192.])
    """
    return np.asarray(d * np.square(loss))


class FiberLossRMS(Metric):
    """`fiber_loss_rms`: RMS feature distance of draws to their targets, in units of the features.

    Statistics: mean (also per query) and median of the draws; and for scale random_pairs (pairs of
    queries), ceiling, unguided and, for lossy priors, reconstruction_gap: see
    `FiberLossRelative`. n counts draws, pairs or queries; uncertainty is over queries.
    """

    name: ClassVar[str] = "fiber_loss_rms"
    axis: Axis = "fidelity"
    better: Better = "lower"
    unit = "feature"

    def convert(self, loss: np.ndarray, d: int) -> np.ndarray:
        """RMS difference of d features -> this metric's unit, any shape."""
        return loss

    def measure(self, context: Context) -> list[Measurement]:
        """The statistics above, and the mean of each query."""
        d = context.targets.shape[1]
        unguided = rms(context.unguided_features.double() - context.targets[:, None].double())
        distances = {"ceiling": context.ceiling, "unguided": unguided}
        if not context.prior.lossless:
            distances["reconstruction_gap"] = context.reconstruction_gap
        loss = self.convert(context.fiber_loss.numpy(), d)
        found = [
            self._pooled(context, "mean", loss),
            measured(
                self,
                self.name,
                "median",
                loss,
                lambda rows: float(np.median(rows)),
                seed=context.seed,
                n=loss.size,
            ),
            self._null(context),
            *(
                self._pooled(context, statistic, self.convert(values.numpy(), d))
                for statistic, values in distances.items()
            ),
        ]
        return found + per_query(self, self.name, loss.mean(1), context, n=context.per_query)

    def _pooled(self, context: Context, statistic: str, rows: np.ndarray) -> Measurement:
        return measured(self, self.name, statistic, rows, seed=context.seed, n=rows.size)

    def _null(self, context: Context) -> Measurement:
        if len(context.queries) < 2:
            why = "one query has no random pairs; use two or more"
            return undefined(self, self.name, "random_pairs", why)
        return self._pooled(
            context, "random_pairs", self.convert(context.null.numpy(), context.targets.shape[1])
        )


class FiberLossSquared(FiberLossRMS):
    """`fiber_loss_sq`: sum of squared feature differences; statistics as for `FiberLossRMS`."""

    name: ClassVar[str] = "fiber_loss_sq"
    unit = "feature squared"

    def convert(self, loss: np.ndarray, d: int) -> np.ndarray:
        """D times the square."""
        return sum_of_squares(loss, d)
