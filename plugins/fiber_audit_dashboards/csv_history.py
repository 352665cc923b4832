"""A CSV file that keeps one entry per run: exporting a run again replaces what it had."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fiber_audit import DataError
from fiber_audit.records import write_atomically

KEY = ["suite", "config_hash", "run_id"]
OURS = {"suite", "run_id", "started_at"}


def add_run(path: Path, rows: pd.DataFrame) -> Path:
    """Write rows of one run after those of the other runs in the file; returns the path.

    Cells are texts, "" is an empty one. New columns come last, so that the old ones keep their
    places.

    Raises:
        DataError: the file is not one of our exports.
        DiskError: it cannot be written; what it held is untouched.
    """
    earlier = _read(path)
    if earlier is None:
        merged = rows
    else:
        now = set(rows[KEY].itertuples(index=False, name=None))
        known = earlier.reindex(columns=KEY, fill_value="").itertuples(index=False, name=None)
        kept = earlier[[key not in now for key in known]]
        merged = pd.concat([kept, rows], ignore_index=True).fillna("")
    return write_atomically(path, merged.to_csv(index=False, lineterminator="\n"))


def _read(path: Path) -> pd.DataFrame | None:
    if not path.exists():
        return None
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: also what pandas and UTF-8 raise
        why = str(error).strip().partition("\n")[0]
        raise DataError(f"{path}: it cannot be read ({why}); choose another folder.") from error
    if not (set(table.columns) >= OURS and isinstance(table.index, pd.RangeIndex)):
        raise DataError(f"{path}: it is not one of our exports; choose another folder.")
    return table
