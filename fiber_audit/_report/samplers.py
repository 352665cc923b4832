"""Samplers beside each other: how near, how true to the data, how different, how dear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..records import headlines
from .headlines import metrics_of
from .numbers import Value, cell, number, text, value_of

if TYPE_CHECKING:
    import pandas as pd

SEEN = ("fidelity", "consistency", "diversity")


@dataclass(frozen=True)
class SamplerRow:
    """One audit of an extractor: values in the order of the columns, None where there is none."""

    audit: str
    extractor: str
    prior: str
    sampler: str
    values: tuple[Value | None, ...]
    seconds: str


@dataclass(frozen=True)
class SamplerTable:
    """columns: (metric, axis, better); rows by extractor."""

    columns: tuple[tuple[str, str, str], ...]
    rows: tuple[SamplerRow, ...]


def sampler_of(records: pd.DataFrame, audit: str) -> tuple[str, str]:
    """(prior, sampler) of an audit."""
    row = records[records["audit"] == audit].iloc[0]
    return text(row, "prior"), text(row, "sampler")


def samplers(records: pd.DataFrame, bounds: Mapping[int, str]) -> SamplerTable | None:
    """The audits of every extractor that has several; None where none has.

    Columns: the first metric of each axis.
    """
    audits = records[["extractor", "audit"]].dropna().drop_duplicates()
    counts = audits["extractor"].value_counts()
    several = audits[audits["extractor"].map(counts) > 1]
    if several.empty:
        return None
    found = {
        (str(row["audit"]), str(row["metric"])): value_of(row, bounds.get(int(str(index)), ""))
        for index, row in headlines(records).iterrows()
    }
    columns = []
    for axis in SEEN:
        first = next((c for c in metrics_of(records) if c.axis == axis), None)
        columns += [(first.metric, axis, first.better)] if first is not None else []
    rows = []
    for audit in several.sort_values("extractor", kind="stable")["audit"].astype(str):
        own = records[records["audit"] == audit]
        timed = own[own["seconds"].notna()]
        rows.append(
            SamplerRow(
                audit,
                text(own.iloc[0], "extractor"),
                *sampler_of(records, audit),
                tuple(found.get((audit, metric)) for metric, _, _ in columns),
                number(cell(timed.iloc[0], "seconds")) if len(timed) else number(None),
            )
        )
    return SamplerTable(tuple(columns), tuple(rows))
