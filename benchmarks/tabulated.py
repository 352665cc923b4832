"""What every table of results begins with, and how it is written."""

from __future__ import annotations

import csv
import datetime
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch


def head() -> dict[str, str]:
    """Date, commit and machine of a row measured now, on one thread."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip(),
        "machine": f"{platform.machine()}, 1 thread, torch {torch.__version__}",
    }


def merged(
    path: Path, rows: Sequence[Mapping[str, Any]], key: Sequence[str]
) -> list[Mapping[str, Any]]:
    """The rows of a file, those that were measured now in their place, new ones at the end.

    key: the columns that tell a row from the others.
    """

    def named(row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(row[name]) for name in key)

    old: list[dict[str, Any]] = []
    if path.exists():
        with path.open(newline="") as file:
            old = list(csv.DictReader(file))
    fresh = {named(row): row for row in rows}
    kept = [fresh.pop(named(row), row) for row in old]
    return [*kept, *fresh.values()]


def write(path: Path, rows: Sequence[Mapping[str, Any]], digits: int = 4) -> None:
    """Write rows as CSV, floats with so many digits; a cell is empty where a row lacks a column."""
    names = dict.fromkeys(name for row in rows for name in row)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(names), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {k: f"{v:.{digits}g}" if isinstance(v, float) else v for k, v in row.items()}
            )
