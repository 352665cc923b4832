"""Health: can a lossy prior say what was drawn? decode(encode(x)) is its nearest honest word."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fiber_audit.contracts import Axis, Better, Block, Metric, Needs, NonNegative, Statistic
from fiber_audit.measuring import Observations, per_query, reconstructed, undefined
from fiber_audit.sampling import rms

from .far_out import far_out
from .ratio import both_means, ratio_to_unguided

MARGIN = 0.01
"""An RMS difference too small to see, as a share of the data range."""


class OffManifold(Metric):
    """`off_manifold`: RMS distance of a draw to decode(encode(draw)), relative to unguided draws.

    Statistics: mean (ratio of means, 1 = like the prior), draws and unguided (in data units). In
    the ratio a distance that nobody sees, below a hundredth of the data range, counts as a
    hundredth: five times nothing is nothing. Undefined where decode(encode(x)) = x. fence: see
    `far_out`; a draw beyond it is suspected.
    """

    axis: Axis = "health"
    better: Better = "lower"
    unit = "relative"
    needs = Needs(extractors=())

    def __init__(self, fence: NonNegative = 3.0) -> None:
        self.fence = fence

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """`distance`, (n,); nothing where the prior is lossless."""
        if block.prior.lossless:
            return {}
        again = reconstructed(block.prior, block.data, block.batch_size)
        return {"distance": rms((block.data - again).flatten(1).double())}

    def summarise(self, seen: Observations) -> list[Statistic]:
        """Pooled and per query; n counts draws, uncertainty is over queries."""
        if seen.lossless:
            message = "the prior encodes every input exactly: nothing is off its manifold"
            return [undefined("mean", message)]
        draws, unguided = seen.draws("distance"), seen.unguided("distance")
        floor = _margin(seen)
        visible, normal = (np.maximum(rows, floor) for rows in (draws, unguided))
        ratio = ratio_to_unguided(visible, normal, seen.seed)
        if ratio.value is None:
            return [ratio]
        found = [ratio, *both_means(draws, unguided, seen.seed, unit="data")]
        return found + per_query(seen.ids, visible / np.nanmean(normal))

    def suspicious(self, seen: Observations) -> NDArray[np.bool_] | None:
        """(q, k) bool: far worse encoded than unguided draws; None for lossless priors."""
        if seen.lossless:
            return None
        draws, unguided = seen.draws("distance"), seen.unguided("distance")
        return far_out(draws, unguided, _margin(seen), self.fence)


def _margin(seen: Observations) -> float:
    """A distance too small to see; 0 for tables, whose range nobody knows."""
    span = seen.data_range
    return MARGIN * (span[1] - span[0]) if span else 0.0
