"""Tables of schema version 1: what was hidden in names becomes columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

VIEWS = {
    "measured_by": "relative",
    "frechet_by": "frechet",
    "unguided_by": "unguided",
    "hides_from": "hidden",
}
"""Statistics ``OLD:NAME`` of the metric `blind_spot` -> what they are called since."""


def upgraded(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of version 1 -> as later versions would have written them.

    ``measured_by:X`` and its like, ``mean_in_X`` and metrics called ``NAME:X`` are seen by X. The
    run_id was the name of a folder; with the start of the run it is unique.
    """
    table = table.copy()
    metric, statistic = table["metric"], table["statistic"]
    views = statistic.str.extract(f"^({'|'.join(VIEWS)}):(.*)$")
    means = statistic.str.extract(r"^mean_in_(.*)$")[0]
    named = metric.str.extract(r"^([^:]+):(.*)$")
    is_view = metric.eq("blind_spot").fillna(False) & views[0].notna()
    table["seen_by"] = views[1].where(is_view).fillna(means).fillna(named[1]).replace("", None)
    renamed = views[0].map(VIEWS, na_action="ignore")
    table["statistic"] = _chosen(is_view, renamed, _chosen(means.notna(), "mean", statistic))
    table["metric"] = _chosen(named[0].notna(), named[0], metric)
    start = table["started_at"]
    table["run_id"] = _chosen(start.notna(), table["run_id"] + " " + start, table["run_id"])
    return table.astype(dict.fromkeys(("seen_by", "statistic", "metric", "run_id"), "string"))


def _chosen(
    where: pd.Series[bool], there: pd.Series[Any] | str, elsewhere: pd.Series[Any]
) -> pd.Series[Any]:
    return elsewhere.mask(where.astype(bool), there)
