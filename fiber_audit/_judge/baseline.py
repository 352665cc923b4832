"""Baselines: earlier records that a run is held against, and how a run becomes one.

main.csv     the records of a good run
main.json    how many rows they have, if the run told: a baseline that was cut is refused
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from .._suite.condition import Condition
from ..errors import DataError, DiskError, FiberAuditError
from ..files import read_text, write_atomically
from ..records import read

if TYPE_CHECKING:
    import pandas as pd


def read_baselines(
    conditions: Collection[Condition], folder: Path, every: Path | None = None
) -> dict[str, pd.DataFrame]:
    """The baselines that conditions name, as they name them, relative to folder (the suite's).

    every: one more, by its `name_of`; relative to the current folder.

    Raises:
        DataError: one of them is missing, cut, or not a records.csv.
    """
    paths = {c.baseline: folder / c.baseline for c in conditions if c.baseline is not None}
    if every is not None:
        paths[name_of(every)] = every
    return {name: read_baseline(path) for name, path in sorted(paths.items())}


def name_of(baseline: Path) -> str:
    """What no condition of a suite calls its baseline, unless it is the same file."""
    return str(baseline.absolute())


def read_baseline(path: Path) -> pd.DataFrame:
    """The records of one baseline: a CSV file, or a run directory.

    Raises:
        DataError: it is missing, cut, or not a records.csv.
    """
    try:
        if not path.exists():
            raise DataError(f"{path}: no such file; give a records.csv or a run directory.")
        records = read(path)
    except FiberAuditError:
        raise
    except (OSError, ValueError) as error:  # a name too long, or with a zero byte
        raise DataError(f"{str(path)[:80]!r}: not a file name ({error}).") from error
    beside = path.with_suffix(".json")
    told = _rows_told(beside)
    if told not in (None, len(records)):
        raise DataError(
            f"{path}: it has {len(records)} rows, and {beside.name} beside it tells of {told}; "
            f"restore it, or copy both files of a run."
        )
    return records


def update_baseline(run: Path, baseline: Path) -> Path:
    """Make the records of a finished run the new baseline file; returns it.

    Atomic: a reader sees the old file or the new one. What tells how many rows it has goes beside
    it.

    Raises:
        DataError: the run has no records, or rows with status error.
        DiskError: the baseline cannot be written.
    """
    source = run / "records.csv" if run.is_dir() else run
    errors = int((read(run)["status"] == "error").sum())
    if errors:
        raise DataError(f"{source}: {errors} rows are errors; a baseline needs a run without any.")
    records, told = source.read_bytes(), source.with_suffix(".json")
    rows = told.read_bytes() if told.is_file() else None
    beside = baseline.with_suffix(".json")
    if _rows_told(beside) is not None:
        _remove(beside)  # it never tells of another table
    write_atomically(baseline, records)
    if rows is not None and not beside.exists():
        write_atomically(beside, rows)
    return baseline


def _rows_told(path: Path) -> int | None:
    """The number of rows that a run left beside its records; None where this is no such file."""
    try:
        known = json.loads(read_text(path, "the digest of a run"))
        return int(known["rows"]) if isinstance(known["sha256"], str) else None
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DiskError(f"{path}: cannot be written ({error.strerror}).") from error
