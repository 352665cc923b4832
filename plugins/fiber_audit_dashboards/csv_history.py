"""A CSV file that keeps one entry per run: exporting a run again replaces what it had."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from fiber_audit.errors import DataError

KEY = ("run_id", "started_at")


def add_run(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """Write rows of one run after those of the other runs in the file; returns the path.

    Cells are texts, an empty one is a missing value. New columns come last, so that the old ones
    keep their places.
    """
    columns, earlier = _read(path)
    columns += dict.fromkeys(name for row in rows for name in row if name not in columns)
    now = {tuple(row[k] for k in KEY) for row in rows}
    kept = [row for row in earlier if tuple(row[k] for k in KEY) not in now]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *rows])
    return path


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    if not path.is_file():
        return [], []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or [])
        if not set(KEY) <= set(columns):
            raise DataError(f"{path}: it is not one of our exports; choose another folder.")
        return columns, [dict(row) for row in reader]
