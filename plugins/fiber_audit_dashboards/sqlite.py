"""SQLite: one database that collects runs, ready for Datasette, Superset or the sqlite3 shell."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit.contracts import Exporter
from fiber_audit.records import COLUMNS, NUMBER, WHOLE

from .series import facts, plain

if TYPE_CHECKING:
    import pandas as pd

SQL_TYPES = {NUMBER: "REAL", WHOLE: "INTEGER"}
COLUMN_SQL = ", ".join(f'"{name}" {SQL_TYPES.get(kind, "TEXT")}' for name, kind in COLUMNS.items())
SCHEMA = f"""
    CREATE TABLE IF NOT EXISTS records ({COLUMN_SQL});
    CREATE INDEX IF NOT EXISTS records_by_series ON records (audit, metric, statistic);
    CREATE VIEW IF NOT EXISTS history AS
        SELECT started_at AS time, suite, audit, metric, statistic, value, ci_low, ci_high, n, unit,
               better, condition, status, git_sha, run_id
        FROM records WHERE query IS NULL ORDER BY started_at;
"""


@dataclass(frozen=True)
class Sqlite(Exporter):
    """Table `records` has every row, view `history` the pooled ones over time.

    A missing value is NULL. Exporting a run again replaces it, in one transaction.
    """

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Add the run to out/fiber-audit.db."""
        about = facts(records)
        out.mkdir(parents=True, exist_ok=True)
        path = out / "fiber-audit.db"
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        marks = ", ".join("?" for _ in COLUMNS)
        rows = [[row[name] for name in COLUMNS] for row in plain(records)]
        with closing(sqlite3.connect(path)) as database:
            database.executescript(SCHEMA)
            with database:
                database.execute(
                    "DELETE FROM records WHERE run_id = ? AND started_at = ?",
                    (about.run_id, about.started_at),
                )
                database.executemany(f"INSERT INTO records ({names}) VALUES ({marks})", rows)
        return [path]
