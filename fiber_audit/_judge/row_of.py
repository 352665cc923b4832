"""The row of the records that a condition means, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from .._suite.condition import LOST, Condition
from ..errors import suggestion
from ..records import headline

if TYPE_CHECKING:
    import pandas as pd

NOT_FINISHED: tuple[Literal["error"], Literal["skipped"]] = ("error", "skipped")


def equal(column: pd.Series[Any], value: str) -> pd.Series[bool]:
    """Where a column holds a value; an empty cell never does."""
    return column.eq(value).fillna(False).astype(bool)


def row_of(rows: pd.DataFrame, audit: str, condition: Condition) -> pd.Series[Any] | None:
    """The pooled row of one audit that a condition means.

    rows: the pooled rows of that audit. Where the condition names no view, the headline's is meant,
    or the only one.
    """
    if condition.seen_by is not None:
        rows = rows[equal(rows["seen_by"], condition.seen_by)]
    first = headline(rows, audit, condition.metric)
    if condition.record is None:
        return first
    rows = rows[equal(rows["metric"], condition.metric)]
    rows = rows[equal(rows["statistic"], condition.record)]
    if len(rows) > 1:
        view = None if first is None or first.isna()["seen_by"] else first["seen_by"]
        rows = rows[rows["seen_by"].isna() if view is None else equal(rows["seen_by"], view)]
    return rows.iloc[0] if len(rows) else None


def absent(
    records: pd.DataFrame, rows: pd.DataFrame, audit: str, condition: Condition
) -> tuple[Literal["error", "skipped"], str]:
    """(status, why) where an audit has no such row: it was not measured, or there is none.

    rows: the pooled rows of that audit.
    """
    metric = condition.metric
    own = equal(rows["metric"], metric)
    failed = rows[rows["statistic"].isna() & (own | rows["metric"].isna() | (metric == LOST))]
    for status in NOT_FINISHED:
        bad = failed[equal(failed["status"], status)]
        if len(bad):
            said = bad["message"].dropna()
            return status, f"{audit} did not finish: {said.iloc[0] if len(said) else status}"
    metrics = records["metric"].dropna().unique()
    if metric not in metrics:
        known = suggestion(metric, metrics)
        return "error", f"the run does not measure metric = {metric!r}. {known}"
    statistic = condition.record or "mean"
    known = suggestion(statistic, rows[own]["statistic"].dropna().unique())
    view = ""
    if condition.seen_by is not None:
        view = f", seen by {condition.seen_by}"
        known = suggestion(condition.seen_by, rows[own]["seen_by"].dropna().unique())
    return "error", f"{audit} has no {metric} ({statistic}{view}). {known}"
