"""SQLite: one database that collects runs, ready for Datasette, Superset or the sqlite3 shell."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit import DataError
from fiber_audit.contracts import Exporter
from fiber_audit.records import COLUMNS, NUMBER, WHOLE

from .folders import made
from .run_facts import facts
from .series import plain

if TYPE_CHECKING:
    import pandas as pd

KEY = ("suite", "config_hash", "run_id")
SQL_TYPES = {NUMBER: "REAL", WHOLE: "INTEGER"}
SQL = {name: f'"{name}" {SQL_TYPES.get(kind, "TEXT")}' for name, kind in COLUMNS.items()}
VIEW = (
    "CREATE INDEX IF NOT EXISTS records_by_series ON records (audit, metric, statistic, seen_by)",
    "DROP VIEW IF EXISTS history",
    """
    CREATE VIEW history AS
        SELECT started_at AS time, suite, audit, metric, statistic, seen_by, value, ci_low, ci_high,
               n, unit, better, condition, status, git_sha, run_id
        FROM records WHERE query IS NULL ORDER BY started_at
    """,
)


@dataclass(frozen=True)
class Sqlite(Exporter):
    """Table `records` has every row, view `history` the pooled ones over time.

    A missing value is NULL. Exporting a run again replaces it, in one transaction.
    """

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Add the run to out/fiber-audit.db."""
        facts(records)
        path = made(out) / "fiber-audit.db"
        rows = [tuple(row[name] for name in COLUMNS) for row in plain(records)]
        keys = {tuple(row[[*COLUMNS].index(name)] for name in KEY) for row in rows}
        same = " AND ".join(f"{name} IS ?" for name in KEY)
        names, marks = ", ".join(f'"{name}"' for name in COLUMNS), ", ".join("?" for _ in COLUMNS)
        if path.exists() and not _ours(path):
            raise DataError(f"{path}: it is no SQLite database; choose another folder.")
        try:
            database = sqlite3.connect(path, timeout=60, isolation_level=None)
            with closing(database), database:  # one transaction, which no other export gets into
                database.execute("BEGIN IMMEDIATE")
                _prepare(database)
                database.executemany(f"DELETE FROM records WHERE {same}", keys)
                database.executemany(f"INSERT INTO records ({names}) VALUES ({marks})", rows)
        except sqlite3.Error as error:
            raise DataError(f"{path}: {error}; choose another folder, or restore it.") from error
        return [path]


def _ours(path: Path) -> bool:
    """SQLite takes a short file of anything for an empty database, and writes over it."""
    try:
        with path.open("rb") as file:
            return file.read(16) in (b"", b"SQLite format 3\0")
    except OSError:
        return False


def _prepare(database: sqlite3.Connection) -> None:
    """Make the table and the view, or give those of an earlier version what they lack."""
    database.execute(f"CREATE TABLE IF NOT EXISTS records ({', '.join(SQL.values())})")
    there = {row[1] for row in database.execute("PRAGMA table_info(records)")}
    if there and not there >= {"suite", "run_id", "value"}:
        raise sqlite3.DatabaseError("its table records is not one of our exports")
    for name in SQL.keys() - there:
        database.execute(f"ALTER TABLE records ADD COLUMN {SQL[name]}")
    for statement in VIEW:
        database.execute(statement)
