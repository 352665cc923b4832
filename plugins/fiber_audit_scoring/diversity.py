"""How much of the fiber do the draws of one query cover?"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from fiber_audit.context import Context
from fiber_audit.contracts import Axis, Better, Measurement, Metric
from fiber_audit.uncertainty import undefined

from .per_query import per_query
from .ratio import ratio_to_unguided


def mean_pairwise_rms(rows: Tensor) -> Tensor:
    """Mean RMS distance over the k (k - 1) / 2 pairs of each group: (q, k, ...) -> (q,) float64.

    >>> mean_pairwise_rms(torch.tensor([[[0.0, 0.0], [3.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]]]))
    tensor([3.5355, 0.0000], dtype=torch.float64)
    """
    flat = rows.double().flatten(2)
    pairs = torch.stack([torch.pdist(group).mean() for group in flat])
    return torch.div(pairs, flat.shape[2] ** 0.5)


class Diversity(Metric):
    """`diversity`: spread of one query's draws relative to its unguided draws (1 = the prior).

    Statistics: mean (ratio of the means over queries; per query, the query's own ratio), draws and
    unguided (mean pairwise RMS distances in data space). With `extractor`, also mean_in_NAME: the
    ratio in that extractor's features. A fiber is a part of data space, so 1 is not the goal: it
    says that the extractor restricts nothing, or that the sampler ignores it. n counts queries.
    """

    axis: Axis = "diversity"
    better: Better = "higher"
    unit = "relative"

    def __init__(self, extractor: str = "") -> None:
        self.extractor = extractor

    def measure(self, context: Context) -> list[Measurement]:
        """Pooled and per query; uncertainty is over queries."""
        in_features = [f"mean_in_{self.extractor}"] if self.extractor else []
        if context.per_query < 2:
            message = "one draw per query has no spread; raise draws to two or more"
            return [undefined(self, "diversity", s, message) for s in ["mean", *in_features]]
        draws, unguided = self._spreads(context, context.draws.data, context.unguided)
        found = ratio_to_unguided(self, "diversity", draws, unguided, context, unit="data")
        for statistic in in_features:
            pair = (
                context.features_by(self.extractor, x)
                for x in (context.draws.data, context.unguided)
            )
            there = ratio_to_unguided(
                self, "diversity", *self._spreads(context, *pair), context, unit="feature"
            )
            found.append(replace(there[0], statistic=statistic))
        if not unguided.all():
            return found
        ratios = (draws / unguided).flatten().numpy()
        return found + per_query(self, "diversity", ratios, context, n=context.per_query)

    @staticmethod
    def _spreads(context: Context, draws: Tensor, unguided: Tensor) -> tuple[Tensor, Tensor]:
        """(q, 1) each."""
        ours, prior = (mean_pairwise_rms(context.grouped(x))[:, None] for x in (draws, unguided))
        return ours, prior
