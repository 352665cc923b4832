"""The metric `edit_response`: edit real inputs in known ways; does the Fréchet distance move?

For each edit the value is

    FD(edited queries, fresh samples) / FD(queries, fresh samples),

1 where the edit goes unseen at this n. It is a fact about the extractor, not about the draws, and
says what a distance in its features can and cannot be trusted with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fiber_audit.context import Context
from fiber_audit.contracts import Axis, Better, Measurement, Metric
from fiber_audit.errors import UsageError

from .blind_spot import TINY, Estimated
from .choices import EditName
from .edits import EDITS
from .frechet import frechet_distance
from .moments import Array, matrix
from .sampling_error import jackknife
from .set_metrics import rng


def response(
    edited: Array, plain: Array, fresh: Array, generator: np.random.Generator
) -> Estimated:
    """FD(edited, fresh) / FD(plain, fresh) for rows (n, d), edited row by row from plain.

    The interval is on the log scale, by jackknife over rows.
    """

    def log_ratio(rows: Array) -> float:
        seen, floor = (frechet_distance(x[rows], fresh[rows]) for x in (edited, plain))
        return math.log(max(seen, TINY) / max(floor, TINY))

    n = len(plain)
    value = math.exp(log_ratio(np.arange(n)))
    error = jackknife(log_ratio, n, generator)
    if error is None:
        return Estimated(value)
    return Estimated(value, value * error.stderr, math.exp(error.ci_low), math.exp(error.ci_high))


class EditResponse(Metric):
    """The headline, mean, is the share of edits that are seen; and one statistic per edit.

    An edit is seen where the interval of its response lies above 1. n is the number of queries
    compared with as many fresh samples; the headline's is that of edits.

    Where the data set knows no fresh samples, the second half of the queries stands in for them.
    """

    axis: Axis = "health"
    better: Better = ""
    name = "edit_response"

    def __init__(
        self, edits: Sequence[EditName] | None = None, strength: float = 0.5, extractor: str = ""
    ) -> None:
        """edits: None for all. strength in [0, 1]. extractor: "" is the audited one."""
        self.edits = tuple(EDITS) if edits is None else tuple(edits)
        self.strength, self.extractor = strength, extractor

    def measure(self, context: Context) -> Sequence[Measurement]:
        """Edit the queries; measure in one extractor's features."""
        data, labels = context.queries.data, context.queries.labels
        if data.ndim != 4:
            raise UsageError("edit_response: the queries are no images; leave this metric out.")
        fresh = context.dataset.reference(len(data), context.generator("edit reference"))
        if fresh is None:
            half = len(data) // 2
            data, fresh = data[:half], data[half : 2 * half]
            labels = None if labels is None else labels[:half]
        if len(data) < 2:
            raise UsageError("edit_response: too few queries; a Fréchet distance needs 2 and 2.")
        plain, beside = self._features(context, data), self._features(context, fresh)
        found, noticed = [], []
        for name in self.edits:
            if name == "mode_drop" and labels is None:
                found.append(self._measurement(name, None, len(data), "the queries have no labels"))
                continue
            generator = context.generator(f"edit {name}")
            edited = self._features(context, EDITS[name](data, labels, self.strength, generator))
            moved = response(edited, plain, beside, rng(context, f"edit {name}"))
            seen = moved.ci_low is not None and moved.ci_low > 1
            noticed.append(seen)
            message = f"strength {self.strength:g}: {'seen' if seen else 'not shown to be seen'}"
            found.append(self._measurement(name, moved, len(data), message))
        return [self._headline(noticed), *found]

    def _features(self, context: Context, data: Tensor) -> Array:
        name = self.extractor or context.extractor_name
        return matrix(context.features_by(name, data.to(torch.float32)))

    def _headline(self, noticed: Sequence[bool]) -> Measurement:
        share = sum(noticed) / len(noticed) if noticed else None
        told = f"{sum(noticed)} of {len(noticed)} edits are seen"
        name = f"{self.name}:{self.extractor}" if self.extractor else self.name
        return Measurement(
            name, "mean", share, len(noticed), "edits seen", self.axis, self.better, message=told
        )

    def _measurement(self, edit: str, found: Estimated | None, n: int, message: str) -> Measurement:
        moved = found or Estimated(math.nan)
        return Measurement(
            f"{self.name}:{self.extractor}" if self.extractor else self.name,
            edit,
            None if found is None else moved.value,
            n,
            "of the unedited distance",
            self.axis,
            self.better,
            moved.stderr,
            moved.ci_low,
            moved.ci_high,
            message=message,
        )
