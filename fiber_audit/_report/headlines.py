"""The tables of results: a table per axis, each audit's headline of each metric on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..records import headlines
from .numbers import Value, text, value_of

if TYPE_CHECKING:
    import pandas as pd

QUESTIONS = {
    "fidelity": "Is the draw on the right fiber?",
    "consistency": "Do the draws follow the data?",
    "diversity": "How much of the fiber do the draws cover?",
    "health": "Did the sampler work as it should?",
    "": "",
}
"""Axis -> what its metrics ask, in the order of the page."""


@dataclass(frozen=True)
class Column:
    """One metric of a table."""

    metric: str
    axis: str
    unit: str
    better: str


@dataclass(frozen=True)
class AxisTable:
    """rows: audit -> one Value per column, None where the audit has no such headline."""

    axis: str
    question: str
    columns: list[Column]
    rows: dict[str, list[Value | None]]

    @property
    def notes(self) -> list[tuple[str, str, str]]:
        """(audit, metric, message) of the values that come with a sentence."""
        return [
            (audit, column.metric, value.message)
            for audit, values in self.rows.items()
            for column, value in zip(self.columns, values, strict=True)
            if value is not None and value.message and value.status not in ("error", "skipped")
        ]


def metrics_of(records: pd.DataFrame) -> list[Column]:
    """Metrics by axis, within an axis in the order of the records; an unmeasured one is last."""
    columns = {}
    for metric, rows in records.groupby("metric", sort=False):
        known = {c: rows[c].dropna() for c in ("axis", "unit", "better")}
        first = {c: str(v.iloc[0]) if len(v) else "" for c, v in known.items()}
        columns[metric] = Column(str(metric), first["axis"], first["unit"], first["better"])
    rank = {axis: i for i, axis in enumerate(QUESTIONS)}
    return sorted(columns.values(), key=lambda c: rank.get(c.axis, len(QUESTIONS)))


def axis_tables(records: pd.DataFrame, bounds: Mapping[int, str]) -> list[AxisTable]:
    """A table per axis; a metric of which no audit has a headline is in none.

    bounds: row of the records -> what its conditions ask.
    """
    audits = [str(a) for a in records["audit"].dropna().unique()]
    found = {
        (str(row["audit"]), str(row["metric"])): value_of(row, bounds.get(int(str(index)), ""))
        for index, row in headlines(records).iterrows()
    }
    tables: dict[str, AxisTable] = {}
    for column in metrics_of(records):
        values = {audit: found.get((audit, column.metric)) for audit in audits}
        if not any(values.values()):
            continue
        empty = AxisTable(column.axis, QUESTIONS.get(column.axis, ""), [], {a: [] for a in audits})
        table = tables.setdefault(column.axis, empty)
        table.columns.append(column)
        for audit, value in values.items():
            table.rows[audit].append(value)
    return list(tables.values())


@dataclass(frozen=True)
class PooledRow:
    """One pooled row, for the table of all statistics."""

    audit: str
    metric: str
    statistic: str
    value: Value
    n: str
    unit: str


def pooled(records: pd.DataFrame, bounds: Mapping[int, str]) -> list[PooledRow]:
    """Every pooled row of the records, in their order."""
    table = records[records["query"].isna()]
    return [
        PooledRow(
            audit=text(row, "audit"),
            metric=text(row, "metric"),
            statistic=text(row, "statistic"),
            value=value_of(row, bounds.get(int(str(index)), "")),
            n=text(row, "n"),
            unit=text(row, "unit"),
        )
        for index, row in table.iterrows()
    ]
