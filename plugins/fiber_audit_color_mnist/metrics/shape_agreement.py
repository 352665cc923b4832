"""Do draws show the digit of their query? An independent judge says."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from fiber_audit.contracts import Axis, Better, Block, Metric, Needs, Statistic
from fiber_audit.measuring import Observations, measured, per_query, undefined

from ..nets import judge
from ..weights import SHIPPED


def agreement(logits: Tensor, labels: Tensor) -> Tensor:
    """1 where the largest of logits (..., 10) is the label (...), else 0; float64.

    >>> import torch
    >>> agreement(torch.tensor([[0.1, 2.0], [3.0, 1.0]]), torch.tensor([1, 1]))
    tensor([1., 0.], dtype=torch.float64)
    """
    return (logits.argmax(-1) == labels).double()


class ShapeAgreement(Metric):
    """`shape_agreement`: share of draws whose digit, says the judge, is their query's label.

    1: the fiber keeps the digit. 0.1: it is free. Which is right depends on the extractor, so that
    neither is better; the axis is diversity, for the metric tells along which attribute draws
    vary. The judge is a classifier that is no extractor of the benchmark. Statistics: mean (also
    per query), unguided, query (the judge on the queries, its own ceiling). n counts images;
    uncertainty is over queries.
    """

    axis: Axis = "diversity"
    better: Better = ""
    unit = "share"
    needs = Needs(parts=("draws", "unguided", "queries"), extractors=())

    def __init__(self) -> None:
        self.judge = SHIPPED.load(judge(), "judge")

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """`agreement`, (n,); nothing without labels."""
        if block.labels is None:
            return {}
        network = self.judge.to(block.data.device)
        logits = torch.cat([network(part) for part in block.data.split(block.batch_size)])
        return {"agreement": agreement(logits, block.labels)}

    def summarise(self, seen: Observations) -> list[Statistic]:
        """Pooled and per query."""
        if seen.labels is None:
            return [undefined("mean", "the queries have no labels to agree with")]
        rows = {
            "mean": seen.draws("agreement"),
            "unguided": seen.unguided("agreement"),
            "query": seen.queries("agreement"),
        }
        found = [measured(name, row, seed=seen.seed, scale="share") for name, row in rows.items()]
        return found + per_query(seen.ids, rows["mean"])
