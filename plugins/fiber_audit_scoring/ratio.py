"""A mean over draws in units of the same mean over the prior's unguided draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fiber_audit.contracts import Statistic
from fiber_audit.measuring import measured, measured_ratio, undefined

Array = NDArray[np.float64]


def ratio_to_unguided(
    draws: Array, unguided: Array, seed: int, seen_by: str | None = None
) -> Statistic:
    """Statistic mean, the ratio: draws and unguided (q, ...), not negative, NaN where lost."""
    if not np.nansum(unguided) > 0:
        return undefined("mean", "it is zero for all unguided draws: no scale", seen_by=seen_by)
    return measured_ratio("mean", draws, unguided, seed=seed, seen_by=seen_by)


def both_means(draws: Array, unguided: Array, seed: int, unit: str) -> list[Statistic]:
    """Statistics draws and unguided, what the ratio is made of, in their own unit."""
    return [
        measured("draws", draws, seed=seed, unit=unit, scale="positive"),
        measured("unguided", unguided, seed=seed, unit=unit, scale="positive"),
    ]
