"""Tidy CSV: one row per measurement, all columns of the records, all runs so far in one file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fiber_audit.contracts import Exporter
from fiber_audit.records import to_csv

from .csv_history import add_run
from .folders import held
from .run_facts import facts


@dataclass(frozen=True)
class CsvLong(Exporter):
    """For Superset, DuckDB, pandas, spreadsheets: filter by metric and statistic, then plot.

    per_query: also the rows of single queries.
    """

    per_query: bool = True

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Add the run to out/long.csv."""
        facts(records)
        shown = records if self.per_query else records[records["query"].isna()]
        rows = pd.read_csv(io.StringIO(to_csv(shown)), dtype=str, keep_default_na=False)
        with held(out):
            return [add_run(out / "long.csv", rows)]
