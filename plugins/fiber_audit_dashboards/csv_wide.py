"""Wide CSV: one row per run, one column per series, for tools that plot columns over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit.contracts import Exporter

from .csv_history import add_run
from .series import facts, points

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CsvWide(Exporter):
    """For Grafana's CSV sources and Superset: `time` is ISO 8601 in UTC, the rest are numbers.

    intervals: also a column for each end of every 95 % interval, for bands.
    """

    intervals: bool = False

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Add the run to out/wide.csv."""
        about = facts(records)
        row = {
            "time": about.started_at,
            "run_id": about.run_id,
            "started_at": about.started_at,
            "suite": about.suite,
            "git_sha": about.git_sha,
        }
        for point in points(records):
            row[point.column] = repr(point.value)
            if self.intervals and point.ci_low is not None and point.ci_high is not None:
                row[f"{point.column}__ci_low"] = repr(point.ci_low)
                row[f"{point.column}__ci_high"] = repr(point.ci_high)
        return [add_run(out / "wide.csv", [row])]
