"""Are draws of the law of the fiber? The query is a draw of it, too, and may not stand out.

If x* ~ p and h = phi(x*), the query is itself a draw of p(x | h). So among k right draws the rank
of f(x*) is uniform over queries, for any statistic f (simulation-based calibration: Talts et al.,
arXiv 1804.06788). No truth is needed. Three limits: f must vary along the fiber; errors of opposite
sign on different fibers cancel, hence several f; and queries must be of the prior's law, or the
prior is tested as well: look at `unguided`, where no phi had a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from fiber_audit.contracts import (
    Axis,
    Better,
    Block,
    Count,
    Metric,
    Needs,
    NonNegativeInt,
    Part,
    Statistic,
    Table,
)
from fiber_audit.measuring import Observations, undefined

from .along_fibers import Array, Fibers, varies
from .rank_table import rank_tables, ranks_in_words
from .ranks import EXPECTED, Uniformity, queries_needed, uniform_ranks, uniformity
from .sketch import projected, sketched

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05
FEWEST = 2 * EXPECTED
"""Queries below which nothing is tested."""
WORTH = 0.2
"""An unevenness that is worth knowing of: bins are off by a fifth."""
View = tuple[str, str]
"""(statistic, the extractor that sees it, "" for data space)."""


class QueryRank(Metric):
    """`query_rank`: how unevenly queries rank among their own draws, 0 for a right sampler.

    Statistics: mean, the unevenness of the worst of all tested statistics (the relative deviation
    of how often each rank occurs, root mean square), with an interval that holds all of theirs at
    once; p, their smallest p-value times their number; and the same of each:

        component_1 ...    along the directions in which query and draws of a fiber vary most
        projection_1 ...   along random directions of data space
        distance           to the middle of query and draws
        p_component_1 ...  the p-value of each (chi-square), uncorrected

    and unguided, p_unguided: the worst and the corrected p of the prior's own draws. n counts
    queries. A statistic that phi fixes is left out.

    Args:
        components: How many leading components, of data space and of the features of `extractor`.
        projections: How many random directions.
        extractor: Another extractor whose features are looked at as well.
    """

    axis: Axis = "consistency"
    better: Better = "lower"
    unit = "of an even share"

    def __init__(
        self, components: Count = 4, projections: NonNegativeInt = 4, extractor: str = ""
    ) -> None:
        self.components, self.projections, self.extractor = components, projections, extractor
        parts: tuple[Part, ...] = ("draws", "unguided", "queries", "reconstructions")
        self.needs = Needs(parts=parts, extractors=(extractor,) if extractor else ())

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """`data`, `projections`, `features`, and for draws whether they `aimed` at the query."""
        found = {"data": sketched(block.data)}
        count = min(self.projections, block.data[0].numel())
        if count:
            found["projections"] = projected(block.data, count)
        if self.extractor:
            found["features"] = sketched(block.features(self.extractor))
        if block.part == "queries":
            found["aimed"] = (block.targets == block.of_query).all(dim=1)
        return found

    def summarise(self, seen: Observations) -> Iterator[Statistic]:
        """The worst statistic, its corrected p, each alone, and the same of unguided draws."""
        q = int((~seen.lost).any(axis=1).sum())
        if q < FEWEST:
            yield undefined("mean", f"{q} queries: ranks need {FEWEST} or more", q)
            return
        drawn, free = (self._ranked(seen, part) for part in ("draws", "unguided"))
        if not drawn:
            yield undefined("mean", "phi fixes every statistic: nothing varies along fibers", q)
            return
        yield from _worst(drawn, "mean", "p")
        for (name, by), found in drawn.items():
            low, high = found.interval(ALPHA)
            p = f"p = {found.p:.3g}; {ranks_in_words(found.counts)}"
            yield Statistic(found.unevenness, name, found.q, seen_by=by or None,
                            ci_low=low, ci_high=high, message=p)  # fmt: skip
            yield Statistic(found.p, f"p_{name}", found.q, seen_by=by or None, unit="p-value")
        if free:
            yield from _worst(free, "unguided", "p_unguided")

    def exhibits(self, records: pd.DataFrame) -> Sequence[Table]:
        """How often each rank occurs, for every audit."""
        return rank_tables(records)

    def _ranked(self, seen: Observations, part: Part) -> dict[View, Uniformity]:
        """The uniformity of every statistic that varies along fibers."""
        k = seen.per_query
        rng = seen.rng(f"query_rank {part}")
        ranked: dict[View, Uniformity] = {}
        for view, values in self._statistics(seen, part).items():
            at = uniform_ranks(values[:, 0], values[:, 1:], rng)
            if varies(values):
                ranked[view] = uniformity(at, k)
        return ranked

    def _statistics(self, seen: Observations, part: Part) -> dict[View, Array]:
        """(q, 1 + k) each, the query first."""
        aimed = seen.queries("aimed").all() or not seen.shows("reconstructions")
        own: Part = "queries" if aimed else "reconstructions"

        def fibers(name: str) -> Fibers:
            return Fibers.of(seen.of(own, name), seen.of(part, name))

        data = fibers("data")
        leading = data.components(self.components)
        found = {(f"component_{i}", ""): x for i, x in _numbered(leading)}
        if seen.shows(part, "projections"):
            along = fibers("projections").coordinates()
            found |= {(f"projection_{i}", ""): x for i, x in _numbered(along)}
        if varies(leading[0]):
            found["distance", ""] = data.distances()
        if self.extractor:
            along = fibers("features").components(self.components)
            found |= {(f"component_{i}", self.extractor): x for i, x in _numbered(along)}
        return found


def _numbered(values: Sequence[Array]) -> Iterator[tuple[int, Array]]:
    return enumerate(values, start=1)


def _worst(ranked: Mapping[View, Uniformity], name: str, p_name: str) -> Iterator[Statistic]:
    """The statistic with the smallest p, and what it says when all are asked at once."""
    view, worst = min(ranked.items(), key=lambda item: item[1].p)
    count = len(ranked)
    p = min(1.0, count * worst.p)
    low, high = worst.interval(ALPHA / count)
    by = f" seen by {view[1]}" if view[1] else ""
    told = f"{view[0]}{by}, of {count} statistics: {_finding(worst, p, count)}"
    yield Statistic(worst.unevenness, name, worst.q, ci_low=low, ci_high=high, message=told)
    yield Statistic(p, p_name, worst.q, unit="p-value", message=f"{count} times that of {view[0]}")


def _finding(worst: Uniformity, p: float, count: int) -> str:
    if p < ALPHA:
        return f"the query stands out among its draws (p = {p:.2g})"
    needed = queries_needed(WORTH, worst.df, ALPHA / count)
    said = f"the query does not stand out (p = {p:.2g}); {needed} queries would show {WORTH:g}"
    if worst.unevenness:
        seen = queries_needed(worst.unevenness, worst.df, ALPHA / count)
        said += f", and {seen} the {worst.unevenness:.2g} that is seen"
    return said
