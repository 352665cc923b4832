"""One measurement for each query."""

from __future__ import annotations

import numpy as np

from fiber_audit.context import Context
from fiber_audit.contracts import Measurement, Metric


def per_query(
    metric: Metric, name: str, values: np.ndarray, context: Context, n: int
) -> list[Measurement]:
    """The mean of each query, values (q,), each resting on n draws (or pairs of draws)."""
    return [
        Measurement(name, "mean", value, n, metric.unit, metric.axis, metric.better, query=query)
        for value, query in zip(values.tolist(), context.queries.ids, strict=True)
    ]
