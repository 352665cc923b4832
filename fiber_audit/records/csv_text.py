"""The table as CSV: what is written is what is read, and what is no table is told in a sentence."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..files import read_text
from .earlier import upgraded
from .schema import COLUMNS, NUMBER, SCHEMA_VERSION, TEXT, Kind
from .text import each, guarded, printable, unguarded

if TYPE_CHECKING:
    import pandas as pd

WHAT = "a records.csv"
NEEDED = ("audit", "metric", "statistic", "value")
DECIMAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
AGAIN = "restore it, or run its suite again"


def to_csv(records: pd.DataFrame) -> str:
    """The text of records.csv: empty cells for missing values, floats that read back exactly.

    Cells that a spreadsheet would run as formulas begin with an apostrophe; `read_csv` drops it.
    """
    safe = records.copy()
    for column, kind in COLUMNS.items():
        if kind == TEXT:
            safe[column] = each(guarded, safe[column])
    return safe.to_csv(index=False, na_rep="", lineterminator="\n")


def read_csv(path: str | Path) -> pd.DataFrame:
    """The frame of a CSV file; columns that it lacks are empty, those of others are left out.

    Tables of earlier schemas come out as the present one. A file that a spreadsheet or git resaved
    is fine: a BOM, other line ends, 8.0 for 8. Use `read` for a run, whose digest it checks.

    Raises:
        DataError: the file is missing, cut or damaged, is no table of records, or is too new.
    """
    path = Path(path)
    return from_csv(read_text(path, WHAT), path)


def from_csv(text: str, path: Path) -> pd.DataFrame:
    """The frame of the text of a CSV file; path is what errors name."""
    import pandas as pd

    text = printable(text)
    _whole(text, path)
    cells = pd.read_csv(
        io.StringIO(text),
        header=None,
        dtype="string",
        keep_default_na=False,
        na_values=[""],
        skip_blank_lines=False,
    )
    names = [None if pd.isna(name) else str(name) for name in cells.iloc[0]]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise DataError(f"{path}: not {WHAT}: it lacks the columns {', '.join(missing)}.")
    for name in COLUMNS:
        if names.count(name) > 1:
            raise DataError(f"{path}: not {WHAT}: it has {names.count(name)} columns {name}.")
    table = cells.iloc[1:].reset_index(drop=True)
    found: dict[str, Any] = {}
    for name, kind in COLUMNS.items():
        if name not in names:
            found[name] = pd.array([None] * len(table), dtype=kind)
        elif kind == TEXT:
            found[name] = each(unguarded, table[names.index(name)])
        else:
            found[name] = _numbers(table[names.index(name)], kind, f"column {name}", text, path)
    return _current(pd.DataFrame(found), "seen_by" not in names, path)


def _current(table: pd.DataFrame, unseen: bool, path: Path) -> pd.DataFrame:
    """The table in the present schema; unseen: the file has no column seen_by."""
    version = table["schema_version"].fillna(1 if unseen else SCHEMA_VERSION)
    newest = int(version.max()) if len(version) else SCHEMA_VERSION
    if newest > SCHEMA_VERSION:
        raise DataError(
            f"{path}: schema_version {newest}: a newer fiber-audit wrote it, and this one reads "
            f"up to {SCHEMA_VERSION}; update it."
        )
    first = version < 2
    if first.any():
        table.loc[first] = upgraded(table[first])
    table.loc[version < SCHEMA_VERSION, "schema_version"] = SCHEMA_VERSION
    return table


def _whole(text: str, path: Path) -> None:
    """Refuse a text whose rows are not whole, before any of them is believed."""
    if not text:
        raise DataError(f"{path}: not {WHAT}: it is empty.")
    parts = text.split('"')  # outside of quotes, inside, outside, ...; nothing between two quotes
    if len(parts) % 2 == 0:
        raise DataError(f"{path}: not {WHAT}: it ends inside a quoted cell; {AGAIN}.")
    outside = parts[::2]
    for before, after in pairwise(outside):
        if before[-1:] not in ("", ",", "\n") or after[:1] not in ("", ",", "\n"):
            raise DataError(f"{path}: not {WHAT}: it has a quote inside a cell; {AGAIN}.")
    lines = "".join(outside).split("\n")
    if lines.pop():
        raise DataError(f"{path}: it is cut: its last row has no line end; {AGAIN}.")
    width = lines[0].count(",")
    for row, line in enumerate(lines):
        if line.count(",") != width:
            where = f"{path}: line {_line(text, row)}"
            raise DataError(
                f"{where} has {line.count(',') + 1} cells, the header {width + 1}; {AGAIN}."
            )


def _numbers(cells: pd.Series[Any], kind: Kind, column: str, text: str, path: Path) -> Any:
    """Cells of text -> an array of numbers, each distinct text parsed once."""
    import pandas as pd

    codes, texts = pd.factorize(cells)
    parse: Callable[[str], float | int] = _float if kind == NUMBER else _int
    parsed: list[Any] = []
    for code, cell in enumerate(texts.tolist()):
        try:
            parsed.append(parse(cell.strip()))
        except ValueError as error:
            where = f"{path}: line {_line(text, int((codes == code).argmax()) + 1)}, {column}"
            shown = cell if len(cell) < 40 else f"{cell[:36]}..."
            raise DataError(f"{where}: {shown!r} is {error}; {AGAIN}.") from error
    values: Any = [*parsed, None]  # an empty cell has code -1
    return pd.array(values, dtype=pd.api.types.pandas_dtype(kind)).take(codes)


def _float(cell: str) -> float:
    if not DECIMAL.fullmatch(cell):
        raise ValueError("not a number")
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError("beyond 64 bits")
    return value


def _int(cell: str) -> int:
    """A whole number, also where a spreadsheet wrote 8.0 or 8E+3."""
    value = _float(cell)
    if not -(2.0**63) <= value <= 2.0**63:
        raise ValueError("beyond 64 bits")
    exact = Decimal(cell) if value else Decimal(0)
    if exact != int(exact):
        raise ValueError("not a whole number")
    if not -(2**63) <= exact < 2**63:
        raise ValueError("beyond 64 bits")
    return int(exact)


def _line(text: str, row: int) -> int:
    """The line on which a row begins, both counted from the header: line 1, row 0."""
    line, rows, quoted = 1, 0, False
    for sign in re.finditer('["\n]', text):
        if rows == row:
            break
        if sign[0] == '"':
            quoted = not quoted
        else:
            line += 1
            rows += not quoted
    return line
