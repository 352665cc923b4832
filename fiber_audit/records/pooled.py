"""Which pooled row a reader sees first, and which rows belong together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from .schema import KEY

if TYPE_CHECKING:
    import pandas as pd

CELL = ["audit", "metric"]


def headlines(records: pd.DataFrame) -> pd.DataFrame:
    """The headline of every audit and metric that has one: rows of records, in their order.

    Of the pooled rows (those without a query) it is the one with statistic "mean" and no seen_by;
    else the only "mean"; else the only row. The first, where a suite lists a metric twice. A row
    that only tells of a condition is no headline beside others.
    """
    import numpy as np

    narrow = records[[*CELL, "query", "sampler", "statistic", "seen_by", "value", "condition"]]
    places = np.flatnonzero(narrow["query"].isna() & narrow[CELL].notna().all(axis=1))
    pooled = narrow.iloc[places]
    told = pooled[["sampler", "value"]].isna().all(axis=1) & pooled["condition"].notna()
    told |= pooled["statistic"].astype("string").str.contains(" minus ", regex=False).fillna(False)
    beside = (~told | _per_cell(told, pooled, "all")).to_numpy(dtype=bool)
    places, pooled = places[beside], pooled[beside]
    mean = pooled["statistic"].eq("mean").fillna(False).astype(bool)
    rank = np.select(
        [
            mean & pooled["seen_by"].isna(),
            mean & (_per_cell(mean, pooled, "sum") == 1),
            _per_cell(mean, pooled, "size") == 1,
        ],
        [0, 1, 2],
        default=3,
    )
    order = np.argsort(rank, kind="stable")
    best = order[~pooled.iloc[order].duplicated(CELL).to_numpy()]
    return records.iloc[places[np.sort(best[rank[best] < 3])]]


def headline(records: pd.DataFrame, audit: str, metric: str) -> pd.Series[Any] | None:
    """The headline of one audit and metric, or None: see `headlines`."""
    found = headlines(alike(records, {"audit": audit, "metric": metric}, CELL))
    return found.iloc[0] if len(found) else None


def alike(records: pd.DataFrame, row: Any, columns: Sequence[str] = KEY) -> pd.DataFrame:
    """The rows with the same cells as `row` (a row, or a dict) in these columns; empty is a cell.

    With the default, a pooled row gives itself and the rows of its single queries.
    """
    import numpy as np
    import pandas as pd

    alike = np.ones(len(records), dtype=bool)
    for column in columns:
        cells, cell = records[column], row[column]
        same = cells.isna() if pd.isna(cell) else cells.eq(cell).fillna(False)
        alike &= same.to_numpy(dtype=bool)
    return records[alike]


def _per_cell(
    values: pd.Series[Any], pooled: pd.DataFrame, what: Literal["all", "sum", "size"]
) -> pd.Series[Any]:
    """Something of the group of each row, row by row."""
    return values.groupby([pooled[column] for column in CELL], sort=False).transform(what)
