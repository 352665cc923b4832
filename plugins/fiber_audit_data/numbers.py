"""Which columns of a frame are numbers, and which rows are whole; what is not is named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from fiber_audit import DataError

from .frames import need

Missing = Literal["raise", "drop"]


def numeric_columns(
    frame: pd.DataFrame, asked: Sequence[str], label: str, path: Path
) -> tuple[str, ...]:
    """The columns asked for, or all but the label.

    Raises:
        DataError: one does not exist, is named twice, or holds other things than numbers.
    """
    for name in asked:
        need(frame, name, path, "columns")
    names = tuple(asked) or tuple(name for name in frame.columns if name != label)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or label in asked:
        again = twice[0] if twice else label
        raise DataError(f"queries.columns: {again!r} is named twice; name it once.")
    fit = [n for n in names if is_numeric_dtype(frame[n]) and not is_bool_dtype(frame[n])]
    if fit and len(fit) == len(names):
        return names
    wrong = "; ".join(_example(frame, name) for name in names if name not in fit)
    way = f"leave them out with columns = {json.dumps(fit)}" if fit else "is the separator right?"
    raise DataError(f"{path}: texts, dates and categories are not drawn as numbers: {wrong}; {way}")


def values_of(frame: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    """The numbers, (rows, d); NaN where a cell is empty."""
    return frame[[*columns]].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)


def whole_rows(
    frame: pd.DataFrame, columns: Sequence[str], label: str, missing: Missing, path: Path
) -> tuple[pd.DataFrame, str]:
    """Rows without an empty or infinite cell; and what was left out, in words, or "".

    Raises:
        DataError: there are such cells, and missing = "raise".
    """
    gaps = {name: ~np.isfinite(values_of(frame, [name])[:, 0]) for name in columns}
    if label:
        gaps[label] = frame[label].isna().to_numpy()
    lost = np.logical_or.reduce([*gaps.values()])
    if not lost.any():
        return frame, ""
    counts = ", ".join(f"{name!r} ({rows.sum()})" for name, rows in gaps.items() if rows.any())
    told = f"{lost.sum()} of {len(frame)} rows have empty or infinite cells, in {counts}"
    if missing == "raise":
        raise DataError(
            f'{path}: {told}; fill them in, or leave such rows out with missing = "drop".'
        )
    return frame[~lost], f"{told}: left out"


def _example(frame: pd.DataFrame, name: str) -> str:
    """A column and the first cell that is no number."""
    column: pd.Series[Any] = frame[name]
    odd = column[column.notna() & pd.to_numeric(column.astype(str), errors="coerce").isna()]
    if odd.empty:
        return f"{name!r} ({column.dtype})"
    return f"{name!r} ({str(odd.iloc[0])!r} in row {odd.index[0]})"
