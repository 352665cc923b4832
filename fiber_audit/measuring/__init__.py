"""The kit of metric authors: what was observed, the null, and statistics with intervals."""

from ..contracts.null import random_pairs
from ..contracts.observations import Observations
from .jackknife import CONFIDENCE, Estimate, Scale, difference_of, groups_of, moved_by, ratio_of
from .medians import median
from .scene import reconstructed
from .statistic import measured, measured_pairs, measured_ratio, per_query, told, undefined
from .uncertainty import estimate, estimate_of_pairs, sums_and_counts

__all__ = [
    "CONFIDENCE",
    "Estimate",
    "Observations",
    "Scale",
    "difference_of",
    "estimate",
    "estimate_of_pairs",
    "groups_of",
    "measured",
    "measured_pairs",
    "measured_ratio",
    "median",
    "moved_by",
    "per_query",
    "random_pairs",
    "ratio_of",
    "reconstructed",
    "sums_and_counts",
    "told",
    "undefined",
]
