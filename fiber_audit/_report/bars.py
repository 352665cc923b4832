"""Attributes as bars from "pinned" to "ignored", of the tables whose sentences tell the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..contracts import Table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class AttributeBar:
    """One attribute of one audit: what share of its variation is left along a fiber.

    text: the share, or why there is none. interval: its 95 % interval in words. share, low, high:
    the same as numbers, which noise may take beyond 0 and 1; None where there is none.
    """

    name: str
    text: str
    interval: str = ""
    share: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def fill(self) -> float:
        """How much of the track is full, in per cent."""
        return _percent(self.share or 0.0)

    @property
    def whisker(self) -> tuple[float, float] | None:
        """Where the interval begins and how long it is within the track, in per cent."""
        if self.low is None or self.high is None:
            return None
        start = _percent(self.low)
        return start, round(_percent(self.high) - start, 1)

    @property
    def alt(self) -> str:
        """The bar in words."""
        known = f", 95 % interval {self.interval}" if self.interval else ""
        return f"{self.name}: {self.text}{known}; 0 % is pinned, 100 % is ignored"


def bars_of(
    tables: Mapping[str, Sequence[Table]], records: pd.DataFrame, audit: str
) -> tuple[AttributeBar, ...]:
    """The most ignored attribute first, those without a number last."""
    found = [
        bar
        for metric, offered in tables.items()
        for table in offered
        if audit in table.sentences
        for bar in _bars(metric, table, records, audit)
    ]
    return tuple(sorted(found, key=lambda bar: -1.0 if bar.share is None else -bar.share - 1))


def _bars(metric: str, table: Table, records: pd.DataFrame, audit: str) -> Iterator[AttributeBar]:
    pooled = records[records["query"].isna() & records["value"].notna()]
    rows = pooled[(pooled["audit"] == audit) & (pooled["metric"] == metric)]
    for i, (heading, cells) in enumerate(table.rows):
        if table.links.get(heading, heading) != audit or not table.shades:
            continue
        for name, text, shade in zip(table.columns, cells, table.shades[i], strict=True):
            lines = text.splitlines()
            if shade is None:
                yield AttributeBar(name, text or "not measured")
            else:
                yield AttributeBar(
                    name, lines[0], " ".join(lines[1:]), *_numbers(rows, name, shade)
                )


def _numbers(
    rows: pd.DataFrame, name: str, shade: float
) -> tuple[float, float | None, float | None]:
    """Value and interval of the record behind a cell: of its column, and as strong as its colour.

    A cell may tell another statistic of its column than the one of its name; its shade is the
    value cut to 0 and 1. Statistics without an interval (a p-value, say) are none of these.
    """
    statistic = rows["statistic"].astype("string")
    mine = rows[(statistic == name) | statistic.str.startswith(f"{name} ").fillna(False)]
    same = mine[np.isclose(mine["value"].astype(float).clip(0, 1), shade)]
    known = same.dropna(subset=["ci_low", "ci_high"]).sort_values("value")
    if known.empty:
        return shade, None, None
    value, low, high = known.iloc[0][["value", "ci_low", "ci_high"]].astype(float)
    return float(value), float(low), float(high)


def _percent(share: float) -> float:
    return round(100 * min(max(share, 0.0), 1.0), 1)
