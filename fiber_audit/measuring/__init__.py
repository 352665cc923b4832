"""The kit of metric authors: what was observed, the null, and statistics with intervals."""

from ..contracts.null import random_pairs
from ..contracts.observations import Observations
from .scene import reconstructed
from .statistic import measured, measured_ratio, median, per_query, undefined
from .uncertainty import CONFIDENCE, Estimate, estimate, sums_and_counts

__all__ = [
    "CONFIDENCE",
    "Estimate",
    "Observations",
    "estimate",
    "measured",
    "measured_ratio",
    "median",
    "per_query",
    "random_pairs",
    "reconstructed",
    "sums_and_counts",
    "undefined",
]
