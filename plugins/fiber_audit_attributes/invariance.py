"""What share of each named attribute does a network ignore?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fiber_audit import UsageError
from fiber_audit.contracts import Attribute, Axis, Better, Block, Metric, Needs, Statistic, Table
from fiber_audit.measuring import Observations, undefined

from .index import Readings, mean_of, statistics_of
from .words import table_of

if TYPE_CHECKING:
    import pandas as pd


class Invariance(Metric):
    """`invariance`: how much an attribute varies along a fiber, relative to unguided draws.

    0: the network pins it. 1: it ignores it, draws of one query differ in it as unguided ones do.
    Statistics, for each attribute A: "A" (the index; also per query), "A from query" (by distances
    of draws to their query, in place of distances between draws), "A permuted" (the index after
    the draws were dealt to the queries anew), "A p" (the share of 999 such dealings, and itself,
    with an index as low: below .05 it is not ignored entirely), "A floor" (what the errors of the
    probe alone can make of an attribute that is pinned), "A skill" (of the probe: 1 is perfect, 0
    is chance; below .5 A is inconclusive). mean: over the attributes that are conclusive. n counts
    queries with two draws; uncertainty is over queries. Neither end is better; the axis is
    diversity.

    Args:
        attributes: names of the suite's attributes, or of the catalogue's that need no options.
    """

    axis: Axis = "diversity"
    better: Better = ""
    unit = "share"
    needs = Needs(parts=("draws", "unguided", "queries"), extractors=())

    def __init__(self, attributes: Mapping[str, Attribute]) -> None:
        if not attributes:
            raise UsageError("attributes = []: name one attribute or more.")
        self.attributes = attributes

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """What is read of each row, under the attribute's name: (n, m) float64."""
        return {
            name: torch.cat([_rows(attribute, x) for x in block.data.split(block.batch_size)])
            for name, attribute in self.attributes.items()
        }

    def summarise(self, seen: Observations) -> list[Statistic]:
        """Pooled and, under the attribute's name, per query."""
        if seen.per_query < 2:
            return [undefined("mean", "one draw per query has no pairs; raise draws to two")]
        found = [
            statistics_of(Readings.of(name, attribute, seen), seen)
            for name, attribute in self.attributes.items()
        ]
        return [mean_of([each[0] for each in found]), *(s for each in found for s in each)]

    def exhibits(self, records: pd.DataFrame) -> Sequence[Table]:
        """A table of audits and attributes, with a sentence for each audit."""
        table = table_of(records, tuple(self.attributes))
        return [] if table is None else [table]


def _rows(attribute: Attribute, x: Tensor) -> Tensor:
    return attribute.read(x).double().reshape(len(x), -1)
