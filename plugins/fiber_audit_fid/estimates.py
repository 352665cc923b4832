"""A ratio with a jackknife -> an estimate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fiber_audit.measuring import Estimate

from .sampling_error import spread


def of_ratio(value: float, deleted: Any, n: int) -> Estimate:
    """A ratio above 0 and its values with one group left out each: an interval on the log scale.

    n is what it rests on. Without deleted values there is no interval.

    >>> found = of_ratio(2.0, [1.9, 2.0, 2.1], 30)
    >>> round(found.stderr, 3), round(found.ci_low, 2), round(found.ci_high, 2)
    (0.116, 1.56, 2.56)
    """
    error = spread(math.log(value), np.log(deleted))
    if error is None:
        return Estimate(value, None, None, None, n)
    low, high = math.exp(error.ci_low), math.exp(error.ci_high)
    return Estimate(value, value * error.stderr, low, high, n)
