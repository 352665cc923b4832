"""Wide CSV: one row per run, one column per series, for tools that plot columns over time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fiber_audit import DataError
from fiber_audit.contracts import Exporter
from fiber_audit.records import guarded, write_atomically

from .csv_history import add_run
from .folders import held
from .names import distinct
from .run_facts import facts
from .series import readings, strict_json


@dataclass(frozen=True)
class CsvWide(Exporter):
    """For Grafana's CSV sources and Superset: `time` is ISO 8601 in UTC, the rest are numbers.

    wide.names.json says which series a column is. intervals: also a column for each end of every
    95 % interval, for bands.
    """

    intervals: bool = False

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Add the run to out/wide.csv, and its columns to out/wide.names.json."""
        about, found = facts(records), readings(records)
        row = {
            "time": about.started_at,
            "run_id": about.run_id,
            "started_at": about.started_at,
            "suite": about.suite,
            "config_hash": about.config,
            "git_sha": about.git_sha,
        }
        row = {name: guarded(text) for name, text in row.items()}
        with held(out):
            named = out / "wide.names.json"
            known = _names(named)
            columns = distinct({reading.name: reading.column for reading in found}, known)
            for reading in found:
                column = columns[reading.name]
                row[column] = repr(reading.value)
                if self.intervals and reading.ci_low is not None and reading.ci_high is not None:
                    row[f"{column}__ci_low"] = repr(reading.ci_low)
                    row[f"{column}__ci_high"] = repr(reading.ci_high)
            by_column = {column: series for series, column in {**known, **columns}.items()}
            write_atomically(named, strict_json(by_column))
            return [add_run(out / "wide.csv", pd.DataFrame([row], dtype=str)), named]


def _names(path: Path) -> dict[str, str]:
    """Series -> column of the runs that are in the file."""
    if not path.exists():
        return {}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return {str(series): str(column) for column, series in known.items()}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path}: it is not what an export wrote; restore it, or choose another folder."
        ) from error
