"""exhibits.json: the tables that metrics offer for the page, kept with the run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from .._draw.sealed import sealed, unsealed
from ..contracts import Table
from ..errors import DataError, PluginError
from ..files import write_atomically

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FILE = "exhibits.json"
AGAIN = "run the suite again to make it"


def save(tables: Mapping[str, Sequence[Table]], folder: Path) -> Path:
    """Write the tables of each metric into a run directory: strict JSON, also where there are none.

    Raises:
        PluginError: a table is not what the contract says; `checked` tells before.
        DiskError: the folder cannot be written, or the disk is full.
    """
    entries = {
        metric: [
            vars(table) | {"links": dict(table.links), "sentences": dict(table.sentences)}
            for table in checked(metric, offered)
        ]
        for metric, offered in tables.items()
    }
    text = json.dumps(entries, allow_nan=False, ensure_ascii=False)
    return write_atomically(folder / FILE, sealed(json.loads(text.encode(errors="replace"))))


def load(folder: Path) -> dict[str, tuple[Table, ...]]:
    """The tables of each metric.

    Raises:
        DataError: the file is missing, damaged or foreign.
    """
    path = folder / FILE
    text = json.dumps(unsealed(path, "tables of fiber-audit", AGAIN))
    try:
        found = _adapter().validate_json(text, strict=True)
        return {metric: checked(metric, tables) for metric, tables in found.items()}
    except (ValueError, PluginError) as error:
        raise DataError(f"{path}: damaged, or not the tables of fiber-audit; {AGAIN}.") from error


def checked(metric: str, offered: Sequence[Table]) -> tuple[Table, ...]:
    """What `Metric.exhibits` returned, if every table is what the contract says.

    Raises:
        PluginError: one is not; the sentence says which and why.
    """
    for table in offered:
        reason = _fault(table)
        if reason:
            title = repr(table.title) if isinstance(table, Table) else "what it returned"
            raise PluginError(f"{metric}: exhibits(): {title}: {reason}.")
    return tuple(offered)


def _fault(table: object) -> str:
    """Why it is not a table, or ""."""
    if not isinstance(table, Table):
        return f"a {type(table).__name__} is not a Table"
    width = len(table.columns)
    texts = [table.title, table.caption, table.corner, *table.columns]
    texts += chain.from_iterable([*table.links.items(), *table.sentences.items()])
    for heading, cells in table.rows:
        texts += [heading, *cells]
        if len(cells) != width:
            return f"row {heading!r} has {len(cells)} cells for {width} columns"
    odd = [text for text in texts if not isinstance(text, str)]
    if odd:
        return f"{odd[0]!r} is not a text"
    if table.shades and [len(row) for row in table.shades] != [width] * len(table.rows):
        return "shades has not one number for each cell"
    shades = [shade for row in table.shades for shade in row if shade is not None]
    if not all(math.isfinite(shade) and 0 <= shade <= 1 for shade in shades):
        return "a shade is outside 0 to 1"
    if table.numbers and [len(row) for row in table.numbers] != [width] * len(table.rows):
        return "numbers has not one entry for each cell"
    behind = [end for row in table.numbers for cell in row if cell for end in cell]
    if not all(end is None or math.isfinite(end) for end in behind):
        return "one of its numbers is not finite"
    if not all(0 <= row < len(table.rows) and 0 <= column < width for row, column in table.marked):
        return "a marked cell is outside the table"
    return ""


def _adapter() -> TypeAdapter[dict[str, tuple[Table, ...]]]:
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, tuple[Table, ...]])
