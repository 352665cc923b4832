"""Do draws show the digit of their query? An independent judge says."""

from __future__ import annotations

import torch
from torch import Tensor

from fiber_audit.context import Context
from fiber_audit.contracts import Axis, Better, Measurement, Metric
from fiber_audit.uncertainty import measured, undefined

from ..nets import DigitClassifier
from ..weights import load
from .per_query import per_query


def agreement(logits: Tensor, labels: Tensor) -> Tensor:
    """1 where the largest of logits (..., 10) is the label (...), else 0; float64.

    >>> agreement(torch.tensor([[0.1, 2.0], [3.0, 1.0]]), torch.tensor([1, 1]))
    tensor([1., 0.], dtype=torch.float64)
    """
    return (logits.argmax(-1) == labels).double()


@torch.no_grad()
def judged(x: Tensor, batch_size: int) -> Tensor:
    """Logits of the judge, a classifier that is no extractor of the benchmark: (n, 10)."""
    judge = load(DigitClassifier, "judge")
    return torch.cat([judge(part) for part in torch.split(x, batch_size)])


class ShapeAgreement(Metric):
    """`shape_agreement`: share of draws whose digit, says the judge, is their query's label.

    1: the fiber keeps the digit. 0.1: it is free. Which is right depends on the extractor, so that
    neither is better; the axis is diversity, for the metric tells along which attribute draws
    vary. Statistics: mean (also per query), unguided, query (the judge on the queries, its own
    ceiling). n counts images; uncertainty is over queries.
    """

    axis: Axis = "diversity"
    better: Better = ""
    unit = "share"

    def measure(self, context: Context) -> list[Measurement]:
        """Pooled and per query."""
        labels = context.queries.labels
        if labels is None:
            message = "the queries have no labels to agree with"
            return [undefined(self, "shape_agreement", "mean", message)]

        def agreeing(x: Tensor) -> Tensor:
            logits = judged(x, context.batch_size)
            return agreement(context.grouped(logits), labels[:, None])

        rows = {
            "mean": agreeing(context.draws.data).numpy(),
            "unguided": agreeing(context.unguided).numpy(),
            "query": agreement(judged(context.queries.data, context.batch_size), labels).numpy(),
        }
        found = [
            measured(self, "shape_agreement", key, row, seed=context.seed, n=row.size)
            for key, row in rows.items()
        ]
        return found + per_query(self, "shape_agreement", rows["mean"], context)
