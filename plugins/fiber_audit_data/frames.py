"""A CSV or Parquet file as a pandas frame, and what is wrong with it in one sentence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from fiber_audit import DataError

PARQUET = (".parquet", ".pq")


def frame_of(
    path: Path,
    separator: str = ",",
    header: bool = True,
    text: bool = False,
    only: Callable[[str], bool] | None = None,
) -> pd.DataFrame:
    """Rows of a file, numbered from 0; line ends of any system, old Macs included.

    header: its first line names the columns; else they are called column-0, column-1, and so on.
    text: cells stay as they are written. only: which columns.

    Raises:
        DataError: it is missing, or no table.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; say where it is, e.g. --set queries.path=...")
    parquet = path.suffix.lower() in PARQUET
    try:
        found = pd.read_parquet(path) if parquet else _text(path, separator, header, text, only)
    except Exception as error:  # pandas, pyarrow and Python each have their own
        told = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(f"{path}: cannot be read as a table ({told}).") from error
    if found.empty:
        raise DataError(f"{path}: has no rows.")
    if not (header or parquet):
        found.columns = pd.Index([f"column-{place}" for place in found.columns])
    return found.reset_index(drop=True)


def _text(
    path: Path, separator: str, header: bool, text: bool, only: Callable[[str], bool] | None
) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
        return pd.read_csv(
            path,
            sep=separator,
            header=0 if header else None,
            usecols=only,
            dtype=str if text else None,
            keep_default_na=not text,
            encoding="utf-8-sig",
            index_col=False,
            low_memory=False,  # one type for a column, not one for each piece of it
        )


def need(frame: pd.DataFrame, column: str, path: Path, option: str) -> None:
    """Make sure that a column exists.

    Raises:
        DataError: it does not.
    """
    if column not in frame.columns:
        known = ", ".join(map(str, frame.columns))
        raise DataError(
            f"queries.{option} = {column!r}: no such column in {path}; it has: {known}."
        )
