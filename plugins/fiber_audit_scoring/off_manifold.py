"""Health: can a lossy prior say what was drawn? decode(encode(x)) is its nearest honest word."""

from __future__ import annotations

from torch import Tensor

from fiber_audit.context import Context, reconstructed
from fiber_audit.contracts import Measurement, Metric
from fiber_audit.sampling import rms
from fiber_audit.uncertainty import undefined

from .far_out import far_out
from .per_query import per_query
from .ratio import ratio_to_unguided

MARGIN = 0.01
"""An RMS difference too small to see, as a share of the data range."""


class OffManifold(Metric):
    """`off_manifold`: RMS distance of a draw to decode(encode(draw)), relative to unguided draws.

    Statistics: mean (ratio of means, 1 = like the prior), draws and unguided (in data units).
    Undefined where decode(encode(x)) = x. fence: see `far_out`; a draw beyond it is suspected.
    """

    axis, better, unit = "health", "lower", "relative"

    def __init__(self, fence: float = 3.0) -> None:
        self.fence = fence

    def measure(self, context: Context) -> list[Measurement]:
        """Pooled and per query; n counts draws, uncertainty is over queries."""
        if context.prior.lossless:
            message = "the prior encodes every input exactly: nothing is off its manifold"
            return [undefined(self, "off_manifold", "mean", message)]
        draws, unguided = self._distances(context)
        found = ratio_to_unguided(self, "off_manifold", draws, unguided, context, unit="data")
        if found[0].value is None:
            return found
        relative = (draws.mean(1) / unguided.mean()).numpy()
        return found + per_query(self, "off_manifold", relative, context, n=context.per_query)

    def suspicious(self, context: Context) -> Tensor | None:
        """(q, k) bool: far worse encoded than unguided draws; None for lossless priors."""
        if context.prior.lossless:
            return None
        span = context.prior.data_range
        margin = MARGIN * (span[1] - span[0]) if span else 0.0
        return far_out(*self._distances(context), margin, self.fence)

    @staticmethod
    def _distances(context: Context) -> tuple[Tensor, Tensor]:
        def distance(x: Tensor) -> Tensor:
            again = reconstructed(context.prior, x, context.batch_size)
            return context.grouped(rms((x - again).flatten(1).double()))

        return distance(context.draws.data), distance(context.unguided)
