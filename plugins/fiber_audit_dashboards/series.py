"""What a dashboard plots over time: one series per audit, metric, statistic and view."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fiber_audit import DataError
from fiber_audit.contracts import Better

from .names import digest

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Reading:
    """The value of one series in one run.

    audit, metric, statistic and seen_by ("" for the audited extractor) name it: they hold nothing
    that changes from run to run. What the record leaves empty is None. mark is set where two
    series of a run would else have one name.
    """

    audit: str
    metric: str
    statistic: str
    value: float
    seen_by: str = ""
    stderr: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    n: int | None = None
    unit: str = ""
    better: Better = ""
    mark: str = ""

    @property
    def measure(self) -> str:
        """``metric.statistic``, and ``@extractor`` where another one looks."""
        return f"{self.metric}.{self.statistic}{f'@{self.seen_by}' if self.seen_by else ''}"

    @property
    def name(self) -> str:
        """``audit/metric.statistic@extractor``: no other series of the run has it."""
        return f"{self.audit}/{self.measure}{self.mark}"

    @property
    def column(self) -> str:
        """The name as a column of SQL and of spreadsheets: letters, digits and underscores.

        Parts are set apart by two underscores.
        """
        parts = [*self.audit.split("/"), self.metric, self.statistic]
        parts += [part for part in (self.seen_by,) if part]
        return "__".join(re.sub(r"\W+", "_", part, flags=re.ASCII) for part in parts)


def readings(records: pd.DataFrame) -> list[Reading]:
    """One reading per pooled row with a value, in the order of the records.

    A series that occurs twice (one metric with two sets of options) has ``-2`` after the second's
    statistic: stable as long as the suite lists its metrics in the same order.

    Raises:
        DataError: the run holds no number.
    """
    pooled = records[records["query"].isna() & records["value"].notna()]
    found = [*_numbered(plain(pooled))]
    if not found:
        raise DataError("the run holds no pooled value to export; see the errors in records.csv.")
    return [*_told_apart(found)]


def plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts of Python values, in which an empty cell is None."""
    filled = table.astype(object).where(table.notna(), None)
    return [{str(k): v for k, v in row.items()} for row in filled.to_dict("records")]


def _numbered(rows: list[dict[str, Any]]) -> Iterator[Reading]:
    columns = ("audit", "metric", "statistic", "seen_by")
    keys = [tuple(str(row[column] or "") for column in columns) for row in rows]
    once, used = set(keys), set[tuple[str, ...]]()
    for row, (audit, metric, statistic, seen_by) in zip(rows, keys, strict=True):
        number, key = 1, (audit, metric, statistic, seen_by)
        while key in used or (number > 1 and key in once):
            number += 1
            key = (audit, metric, f"{statistic}-{number}", seen_by)
        used.add(key)
        yield Reading(
            *key[:3],
            float(row["value"]),
            seen_by,
            row["stderr"],
            row["ci_low"],
            row["ci_high"],
            row["n"],
            row["unit"] or "",
            row["better"] or "",
        )


def _told_apart(found: list[Reading]) -> Iterator[Reading]:
    """Names may hold the signs that join them: a/b with m.s, and a with b/m.s."""
    names = Counter(reading.name for reading in found)
    for reading in found:
        key = json.dumps([reading.audit, reading.metric, reading.statistic, reading.seen_by])
        yield replace(reading, mark=f"~{digest(key)}") if names[reading.name] > 1 else reading


def strict_json(value: object) -> str:
    """JSON that every parser reads: NaN and infinity are refused, not written."""
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
