"""Metric: a function of an audit's inputs -> statistics, in two halves, and what it is handed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .part import Part

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor

    from .drawing import Prior
    from .observations import Observations

Axis = Literal["fidelity", "consistency", "diversity", "health"]
Better = Literal["lower", "higher", ""]


@dataclass(frozen=True)
class Needs:
    """What a metric has to be shown; part of the identity of what it observes.

    parts: what `Metric.observe` is called with.
    extractors: names of the suite or the catalogue whose features observe() asks for; "" is the
        audited one.
    whole: part -> extractors whose features `Metric.summarise` reads whole, row by row. They are
        kept once for all metrics.
    """

    parts: tuple[Part, ...] = ("draws", "unguided")
    extractors: tuple[str, ...] = ("",)
    whole: Mapping[Part, tuple[str, ...]] = field(default_factory=dict)

    @property
    def eyes(self) -> frozenset[str]:
        """Every extractor that is named."""
        return frozenset(self.extractors).union(*self.whole.values())

    @property
    def shown(self) -> frozenset[str]:
        """Every part that is named."""
        return frozenset(self.parts).union(self.whole)


@dataclass(frozen=True, eq=False)
class Block:
    """Some inputs of one part, as `Metric.observe` sees them: whole queries, on the device.

    data: (n, *data_shape) in data space; the `per_query` rows of one query are adjacent.
    targets: (n, d), what the query of each row aims at. of_query: (n, d), phi of that query itself.
        Both by the audited extractor, and (n, 0) for fresh samples.
    labels: (n,) of each row's query, or None.
    diagnostics: what the sampler reports of each row, (n,) each; empty but for draws.
    prior: to reconstruct with; its data_range says what data space is.
    batch_size: rows that a network is given at once.
    """

    part: Part
    data: Tensor
    targets: Tensor
    of_query: Tensor
    labels: Tensor | None
    per_query: int
    prior: Prior
    diagnostics: Mapping[str, Tensor]
    phi: Callable[[str, Tensor | None], Tensor]
    batch_size: int = 64

    def features(self, extractor: str = "", of: Tensor | None = None) -> Tensor:
        """Features of the rows, (n, d) float32; "" is the audited extractor. Computed once.

        of: other inputs in data space, (m, *data_shape), for instance the rows after an edit.
        """
        return self.phi(extractor, of)

    def grouped(self, rows: Tensor) -> Tensor:
        """(n, ...) -> (queries, per_query, ...)."""
        return rows.reshape(-1, self.per_query, *rows.shape[1:])


@dataclass(frozen=True)
class Statistic:
    """One number of a metric with its uncertainty; the host adds name, axis and direction.

    name says which number it is (mean, median, random_pairs, ceiling, ...).
    query is the query's id for a per-query value, None for a pooled one.
    seen_by is the extractor whose view it is, where that is not the audited one or has to be said.
    n counts what the value rests on (queries, or draws: the metric's docstring says which).
    unit replaces the metric's. stderr, ci_low and ci_high are None where no uncertainty is defined.
    value is None where the statistic is undefined here; then message says why.
    """

    value: float | None
    name: str = "mean"
    n: int = 0
    query: str | None = None
    seen_by: str | None = None
    stderr: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    unit: str | None = None
    message: str = ""


@dataclass(frozen=True)
class Table:
    """A table that a metric offers for the page; `shades` (rows x columns, 0 to 1) colours it.

    rows: (heading, cells); a cell is text, possibly of several lines, or "" where nothing is known.
    marked: (row, column) cells to outline. links: row heading -> the audit whose draws it leads to.
    sentences: audit -> what the table says of it in plain words, for the top of the page.
    numbers: (value, low, high) behind each cell (rows x columns), for bars with intervals; None for
    a cell, and for the ends of an interval, where there is none.
    """

    title: str
    caption: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    shades: tuple[tuple[float | None, ...], ...] = ()
    marked: tuple[tuple[int, int], ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    sentences: Mapping[str, str] = field(default_factory=dict)
    numbers: tuple[tuple[tuple[float, float | None, float | None] | None, ...], ...] = ()


class Metric(ABC):
    """A function of an audit's inputs -> statistics, pooled and where sensible per query.

    It has two halves, so that size does not matter: `observe` sees the inputs, block by block and
    where they are, and reduces them to a few numbers a row; `summarise` sees those of all rows.
    """

    axis: Axis
    better: Better
    unit: str = ""
    needs: Needs = Needs()

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """Name -> (n, ...) small arrays, one row per row of the block.

        A row may depend on the other rows of its query (`Block.grouped`), on nothing else.
        """
        return {}

    @abstractmethod
    def summarise(self, seen: Observations) -> Iterable[Statistic]:
        """Statistics of one audit. `fiber_audit.measuring.Observations` lists all that is offered.

        The pooled statistic "mean" (or the only pooled one) is the headline: tables show it and
        conditions test it unless they name a statistic.
        """

    def suspicious(self, seen: Observations) -> NDArray[np.bool_] | None:
        """(q, k) bool: draws that should not be believed; None where the metric has no opinion.

        The report flags a draw that any metric of the suite suspects.
        """
        return None

    def exhibits(self, records: pd.DataFrame) -> Sequence[Table]:
        """Tables for the page, made of the records of all audits; by default none."""
        return ()
