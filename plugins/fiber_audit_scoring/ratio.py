"""A mean over draws in units of the same mean over the prior's unguided draws."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from fiber_audit.context import Context
from fiber_audit.contracts import Measurement, Metric
from fiber_audit.uncertainty import measured, undefined


def ratio_to_unguided(
    metric: Metric,
    name: str,
    draws: Tensor,
    unguided: Tensor,
    context: Context,
    unit: str,
) -> list[Measurement]:
    """Statistics mean (the ratio) and, in `unit`, the means of the two, draws and unguided.

    draws and unguided are (q, k) and not negative. Both are resampled by query.
    """
    ours, prior = draws.numpy(), unguided.numpy()
    k, seed, n = ours.shape[1], context.seed, ours.size
    if not prior.mean() > 0:
        return [undefined(metric, name, "mean", "it is zero for all unguided draws: no scale")]
    return [
        measured(
            metric,
            name,
            "mean",
            np.hstack([ours, prior]),
            lambda rows: float(rows[:, :k].mean() / rows[:, k:].mean()),
            seed=seed,
            n=n,
        ),
        measured(metric, name, "draws", ours, seed=seed, n=n, unit=unit),
        measured(metric, name, "unguided", prior, seed=seed, n=n, unit=unit),
    ]
