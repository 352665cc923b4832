"""One measurement for each query."""

from __future__ import annotations

import numpy as np

from fiber_audit.context import Context
from fiber_audit.contracts import Measurement, Metric


def per_query(metric: Metric, name: str, values: np.ndarray, context: Context) -> list[Measurement]:
    """The mean of values (q, k) over the draws of each query; n counts draws."""
    k = values.shape[1]
    return [
        Measurement(name, "mean", value, k, metric.unit, metric.axis, metric.better, query=query)
        for value, query in zip(values.mean(1).tolist(), context.queries.ids, strict=True)
    ]
