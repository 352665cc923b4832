"""What a dashboard plots over time: one series per audit, metric and statistic, stably named."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fiber_audit.contracts import Better
from fiber_audit.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Point:
    """The value of one series in one run.

    audit, metric and statistic name it: they hold nothing that changes from run to run. What the
    record leaves empty is None.
    """

    audit: str
    metric: str
    statistic: str
    value: float
    stderr: float | None
    ci_low: float | None
    ci_high: float | None
    n: int | None
    unit: str
    better: Better

    @property
    def name(self) -> str:
        """``audit/metric.statistic``."""
        return f"{self.audit}/{self.metric}.{self.statistic}"

    @property
    def column(self) -> str:
        """The name as a column of SQL and of spreadsheets: letters, digits and underscores.

        Parts are set apart by two underscores.
        """
        parts = [*self.audit.split("/"), self.metric, self.statistic]
        return "__".join(re.sub(r"\W+", "_", part, flags=re.ASCII) for part in parts)


def points(records: pd.DataFrame) -> list[Point]:
    """One point per pooled row with a value, in the order of the records.

    A series that occurs twice (one metric with two sets of options) has ``-2`` after the second's
    statistic: stable as long as the suite lists its metrics in the same order.

    Raises:
        DataError: the run holds no number.
    """
    pooled = records[records["query"].isna() & records["value"].notna()]
    found = [*_numbered(plain(pooled))]
    if not found:
        raise DataError("the run holds no pooled value to export; see the errors in records.csv.")
    return found


def plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts of Python values, in which an empty cell is None."""
    filled = table.astype(object).where(table.notna(), None)
    return [{str(k): v for k, v in row.items()} for row in filled.to_dict("records")]


def _numbered(rows: list[dict[str, Any]]) -> Iterator[Point]:
    seen: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        series = (str(row["audit"]), str(row["metric"]), str(row["statistic"]))
        seen[series] += 1
        audit, metric, statistic = series
        yield Point(
            audit,
            metric,
            statistic if seen[series] == 1 else f"{statistic}-{seen[series]}",
            float(row["value"]),
            row["stderr"],
            row["ci_low"],
            row["ci_high"],
            row["n"],
            row["unit"] or "",
            row["better"] or "",
        )


@dataclass(frozen=True)
class RunFacts:
    """What all records of a run share. A run is known by its id and its start."""

    run_id: str
    started_at: str
    suite: str
    git_sha: str

    @property
    def moment(self) -> datetime:
        """The start, in UTC."""
        return datetime.fromisoformat(self.started_at)


def facts(records: pd.DataFrame) -> RunFacts:
    """The run that records belong to.

    Raises:
        DataError: they hold no run, or more than one.
    """
    names = ["run_id", "started_at", "suite", "git_sha"]
    runs = plain(records[names].drop_duplicates())
    if len(runs) != 1 or not runs[0]["started_at"]:
        raise DataError(f"the records hold {len(runs)} runs; export one finished run at a time.")
    return RunFacts(**{name: runs[0][name] or "" for name in names})


def strict_json(value: object, indent: int | None = 1) -> str:
    """JSON that every parser reads: NaN and infinity are refused, not written."""
    return json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=False) + "\n"
