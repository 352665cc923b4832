"""The columns of the table, and the door through which rows come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from .text import printable

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 3

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
    "seen_by": TEXT,
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
    "decode_forward": NUMBER,
    "decode_backward": NUMBER,
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
"""Column -> pandas type, in the order of the file. `run_id` is unique to a run, whatever its folder
is called. `seen_by` is the extractor whose view a number is, empty for the audited one. `status` is
one of: ok (a number without a condition), pass, warn, fail, inconclusive, error, skipped.
Evaluations are means per draw."""

KEY = ["audit", "metric", "statistic", "seen_by"]
"""What tells the pooled rows of a run apart."""

NAMELESS = "(empty)"
"""A query whose id is "": an empty cell would make it a pooled row."""


def frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows (dicts of column -> value, missing keys are empty) -> a typed DataFrame.

    It holds what every format can: text passes `printable`, and "" is an empty cell. A float that
    is not finite is refused: it belongs in `message`, with a status.

    Raises:
        ValueError: a column is not of the schema, or a value not of its column.
    """
    import pandas as pd

    table = list(rows)
    unknown = {column for row in table for column in row} - COLUMNS.keys()
    if unknown:
        raise ValueError(f"record has columns {sorted(unknown)}, which the schema lacks")
    cells: dict[str, Any] = {}
    for column, kind in COLUMNS.items():
        given = [row.get(column) for row in table]
        values = [None if value is pd.NA else value for value in given]
        typed: Any = _texts(column, values) if kind == TEXT else _numbers(column, values)
        cells[column] = pd.array(typed, dtype=pd.api.types.pandas_dtype(kind))
    return pd.DataFrame(cells)


def _texts(column: str, values: Sequence[Any]) -> list[str | None]:
    texts = [None if v is None or v != v else str(v) for v in values]  # a NaN is not itself
    empty = NAMELESS if column == "query" else None
    held = {text: printable(text) or empty for text in set(texts) if text is not None}
    return [None if text is None else held[text] for text in texts]


def _numbers(column: str, values: Sequence[Any]) -> list[float | int | None]:
    import numpy as np

    known = [value for value in values if value is not None]
    try:
        finite = np.isfinite(np.array(known, dtype=np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"record column {column} takes numbers of 64 bits: {error}") from error
    if not finite.all():
        value = known[int(np.argmin(finite))]
        raise ValueError(f"record column {column} = {value}: leave it empty, with a status")
    if COLUMNS[column] == NUMBER:
        return [None if value is None else float(value) for value in values]
    for value in known:
        if value != int(value) or not -(2**63) <= value < 2**63:
            raise ValueError(f"record column {column} = {value}: give a whole number of 64 bits")
    return [None if value is None else int(value) for value in values]
