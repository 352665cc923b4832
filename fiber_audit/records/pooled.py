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

    pooled = records[records["query"].isna() & records[CELL].notna().all(axis=1)]
    told = pooled[["sampler", "value"]].isna().all(axis=1) & pooled["condition"].notna()
    pooled = pooled[~told | _per_cell(told, pooled, "all")]
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
    return pooled.iloc[np.sort(best[rank[best] < 3])]


def headline(records: pd.DataFrame, audit: str, metric: str) -> pd.Series[Any] | None:
    """The headline of one audit and metric, or None: see `headlines`."""
    found = headlines(alike(records, {"audit": audit, "metric": metric}, CELL))
    return found.iloc[0] if len(found) else None


def alike(records: pd.DataFrame, row: Any, columns: Sequence[str] = KEY) -> pd.DataFrame:
    """The rows with the same cells as `row` (a row, or a dict) in these columns; empty is a cell.

    With the default, a pooled row gives itself and the rows of its single queries.
    """
    import pandas as pd

    found = records
    for column in columns:
        cell = row[column]
        same = found[column].isna() if pd.isna(cell) else found[column].eq(cell).fillna(False)
        found = found[same.astype(bool)]
    return found


def _per_cell(
    values: pd.Series[Any], pooled: pd.DataFrame, what: Literal["all", "sum", "size"]
) -> pd.Series[Any]:
    """Something of the group of each row, row by row."""
    return values.groupby([pooled[column] for column in CELL], sort=False).transform(what)
