"""The table of audits x metrics: one headline each, with what its conditions say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .numbers import Value, text, value_of

if TYPE_CHECKING:
    import pandas as pd

AXES = ("fidelity", "consistency", "diversity", "health", "")
BLIND_SPOT = "blind_spot"


@dataclass(frozen=True)
class Column:
    """One metric of the table."""

    metric: str
    axis: str
    unit: str
    better: str


@dataclass(frozen=True)
class Headlines:
    """rows: audit -> one Value per column, None where the audit has no such row."""

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

    @property
    def axes(self) -> list[tuple[str, int]]:
        """Axis and how many columns it spans, in the order of the columns."""
        spans: dict[str, int] = {}
        for column in self.columns:
            spans[column.axis] = spans.get(column.axis, 0) + 1
        return list(spans.items())


def headline(records: pd.DataFrame, audit: str, metric: str) -> pd.Series[Any] | None:
    """The pooled row with statistic "mean", or the metric's only pooled row, or None."""
    found = records[
        (records["audit"] == audit) & (records["metric"] == metric) & records["query"].isna()
    ]
    mean = found[found["statistic"] == "mean"]
    if len(mean):
        return mean.iloc[0]
    return found.iloc[0] if len(found) == 1 else None


def metrics_of(records: pd.DataFrame) -> list[Column]:
    """Metrics by axis, within an axis in the order of the records; an unmeasured one is last."""
    columns = {}
    for metric, rows in records.groupby("metric", sort=False):
        known = {c: rows[c].dropna() for c in ("axis", "unit", "better")}
        first = {c: str(v.iloc[0]) if len(v) else "" for c, v in known.items()}
        columns[metric] = Column(str(metric), first["axis"], first["unit"], first["better"])
    rank = {axis: i for i, axis in enumerate(AXES)}
    return sorted(columns.values(), key=lambda c: rank.get(c.axis, len(AXES)))


def headlines(records: pd.DataFrame) -> Headlines:
    """Every audit's headline of every metric; the blind-spot matrix has a table of its own."""
    audits = [str(a) for a in records["audit"].dropna().unique()]
    columns, rows = [], {audit: list[Value | None]() for audit in audits}
    for column in metrics_of(records[records["metric"] != BLIND_SPOT]):
        found = [headline(records, audit, column.metric) for audit in audits]
        if all(row is None for row in found):
            continue
        columns.append(column)
        for audit, row in zip(audits, found, strict=True):
            rows[audit].append(None if row is None else value_of(row))
    return Headlines(columns, rows)


@dataclass(frozen=True)
class Pooled:
    """One pooled row, for the table of all statistics."""

    audit: str
    metric: str
    statistic: str
    value: Value
    n: str
    unit: str


def pooled(records: pd.DataFrame) -> list[Pooled]:
    """Every pooled row of the records, in their order."""
    table = records[records["query"].isna()]
    return [
        Pooled(
            audit=text(row, "audit"),
            metric=text(row, "metric"),
            statistic=text(row, "statistic"),
            value=value_of(row),
            n=text(row, "n"),
            unit=text(row, "unit"),
        )
        for _, row in table.iterrows()
    ]
