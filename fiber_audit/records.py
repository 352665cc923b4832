"""The result table: one row per audit, metric and statistic (and query, where per query)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1

Kind = Literal["string", "Float64", "Int64"]
TEXT: Final = "string"
NUMBER: Final = "Float64"
WHOLE: Final = "Int64"

COLUMNS: dict[str, Kind] = {
    "schema_version": WHOLE,
    "run_id": TEXT,
    "started_at": TEXT,
    "suite": TEXT,
    "audit": TEXT,
    "extractor": TEXT,
    "prior": TEXT,
    "sampler": TEXT,
    "query": TEXT,
    "metric": TEXT,
    "axis": TEXT,
    "statistic": TEXT,
    "value": NUMBER,
    "stderr": NUMBER,
    "ci_low": NUMBER,
    "ci_high": NUMBER,
    "n": WHOLE,
    "unit": TEXT,
    "better": TEXT,
    "condition": TEXT,
    "status": TEXT,
    "message": TEXT,
    "seed": WHOLE,
    "device": TEXT,
    "dtype": TEXT,
    "batch_size": WHOLE,
    "seconds": NUMBER,
    "prior_forward": NUMBER,
    "prior_backward": NUMBER,
    "extractor_forward": NUMBER,
    "extractor_backward": NUMBER,
    "plugin": TEXT,
    "plugin_version": TEXT,
    "config_hash": TEXT,
    "weights_sha256": TEXT,
    "git_sha": TEXT,
    "git_dirty": WHOLE,
    "torch_version": TEXT,
    "fiber_audit_version": TEXT,
}
"""Column -> pandas type, in the order of the file. `status` is one of: ok (a number without a
condition), pass, warn, fail, inconclusive, error, skipped. Evaluations are means per draw."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows (dicts of column -> value, missing keys are empty) -> a typed DataFrame.

    A float that is not finite is refused: it belongs in `message`, with a status.
    """
    import pandas as pd

    table = list(rows)
    for row in table:
        unknown = row.keys() - COLUMNS.keys()
        if unknown:
            raise ValueError(f"record has columns {sorted(unknown)}, which the schema lacks")
        for column, value in row.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"record column {column} = {value}: leave it empty, with a status")
    cells: dict[str, pd.Series[Any]] = {
        c: pd.Series([row.get(c) for row in table], dtype=t) for c, t in COLUMNS.items()
    }
    return pd.DataFrame(cells)


def neutralised(text: str) -> str:
    """Keep a spreadsheet from running a cell as a formula: prefix an apostrophe.

    >>> neutralised("=HYPERLINK(1)")
    "'=HYPERLINK(1)"
    """
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def to_csv(records: pd.DataFrame) -> str:
    """The text of records.csv: empty cells for missing values, floats that read back exactly."""
    safe = records.copy()
    for column, kind in COLUMNS.items():
        if kind == TEXT:
            safe[column] = safe[column].map(neutralised, na_action="ignore")
    return safe.to_csv(index=False, na_rep="", lineterminator="\n")


def read_csv(path: Path) -> pd.DataFrame:
    """Read a records.csv back with the schema's types; columns it lacks are empty."""
    import pandas as pd

    from .errors import DataError

    if not path.is_file():
        raise DataError(f"{path}: no such file; give a records.csv or a run directory.")
    table = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""])
    missing = {"audit", "metric", "statistic", "value"} - set(table.columns)
    if missing:
        raise DataError(f"{path}: not a records.csv, it lacks the columns {sorted(missing)}.")
    for column, kind in COLUMNS.items():
        if column not in table:
            table[column] = pd.Series([None] * len(table), dtype=kind)
        elif kind != TEXT:
            read = float if kind == NUMBER else int
            table[column] = table[column].map(read, na_action="ignore").astype(kind)
    return table[list(COLUMNS)].copy(deep=True)
