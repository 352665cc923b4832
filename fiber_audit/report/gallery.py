"""The draws of one audit, cut down to what a page can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from ..context import Context

MOST_QUERIES = 16
SATURATED = 0.05
"""Share of an input's numbers outside the data range above which a draw is suspicious."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Some queries of one audit with all their draws: q queries, k draws each.

    queries: (q, c, h, w) images in [0, 1], or (q, d) table rows in natural units.
    draws, unguided: (q, k, ...), the audit's draws and the prior's own from the same noise.
    fiber_loss: (q, k), RMS feature distance of each draw to its target.
    suspicious: (q, k) bool, draws that a reader should not take at face value.
    queries_in_all: how many queries the audit has; 0 if only these.
    """

    audit: str
    query_ids: tuple[str, ...]
    queries: np.ndarray
    draws: np.ndarray
    fiber_loss: np.ndarray
    unguided: np.ndarray
    suspicious: np.ndarray
    queries_in_all: int = 0


def gallery_of(
    context: Context, most: int = MOST_QUERIES, suspected: Sequence[Tensor] = ()
) -> Gallery:
    """The first `most` queries of an audit.

    suspected: (q, k) bool each, what the suite's metrics suspect (`Metric.suspicious`).

    A draw is suspicious if more than 5 % of its numbers had to be clamped to the data range (the
    guidance pushed it out of the data), if its fiber loss is above the mean null distance (it is
    no nearer to its query than another input is), or if a metric suspects it.
    """
    q = min(most, len(context.queries))
    loss = context.fiber_loss
    suspicious = loss.new_zeros(loss.shape).bool()
    saturation = context.draws.diagnostics.get("saturation")
    if saturation is not None:
        suspicious |= context.grouped(saturation).to(loss) > SATURATED
    if context.null.numel():
        suspicious |= loss > context.null.mean()
    for flags in suspected:
        suspicious |= flags.to(suspicious)
    return Gallery(
        audit=context.audit,
        query_ids=context.queries.ids[:q],
        queries=_array(context.queries.data[:q]),
        draws=_array(context.grouped(context.draws.data)[:q]),
        fiber_loss=_array(loss[:q]),
        unguided=_array(context.grouped(context.unguided)[:q]),
        suspicious=_array(suspicious[:q]),
        queries_in_all=len(context.queries),
    )


def _array(found: Tensor) -> np.ndarray:
    return np.asarray(found.detach().cpu().numpy())
