"""Verdicts beside the records: in their columns, and whole in ``verdicts.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from ..errors import DataError
from ..files import write_atomically
from ..records import COLUMNS, frame, printable, text_beside
from .interval import worst
from .verdicts import Verdict

if TYPE_CHECKING:
    import pandas as pd

FILE = "verdicts.json"
RUN_COLUMNS = (
    "schema_version",
    "run_id",
    "started_at",
    "suite",
    "seed",
    "git_sha",
    "git_dirty",
    "torch_version",
    "fiber_audit_version",
)
"""What all rows of a run share, so that the row of a verdict has it too."""

_ADAPTER = TypeAdapter(list[Verdict])


def marked(records: pd.DataFrame, verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """The records with `condition` and `status` filled in; the frame that is given is unchanged.

    A row that several conditions judge names them all and has their worst status. A verdict with
    no row (its condition matched nothing) becomes one, so that the table tells of it.
    """
    import pandas as pd

    out = records.copy()
    judged: dict[int, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.row is not None:
            judged.setdefault(verdict.row, []).append(verdict)
    for row, found in judged.items():
        titles = dict.fromkeys(verdict.condition.title for verdict in found)
        out.loc[row, "condition"] = printable("; ".join(titles))
        status = worst(v.status for v in found)
        out.loc[row, "status"] = status
        if status != "pass" and out["message"].isna()[row]:
            message = next(v.message for v in found if v.status == status)
            out.loc[row, "message"] = printable(message)
    orphans = [v for v in verdicts if v.row is None]
    if not orphans:
        return out
    first = out.iloc[0] if len(out) else pd.Series(dtype=object)
    run = {c: first[c] for c in RUN_COLUMNS if c in first and pd.notna(first[c])}
    rows = [
        {
            **run,
            "audit": v.audit or None,
            "metric": v.condition.metric,
            "statistic": v.condition.record,
            "seen_by": v.condition.seen_by,
            "condition": v.condition.title,
            "status": v.status,
            "message": v.message,
        }
        for v in orphans
    ]
    return pd.concat([out, frame(rows)], ignore_index=True)[list(COLUMNS)]


def write(verdicts: Sequence[Verdict], run: Path) -> Path:
    """Write verdicts.json into a run directory: strict JSON, a list of verdicts.

    Raises:
        DiskError: the folder cannot be written, or the disk is full.
    """
    table = _ADAPTER.dump_python([*verdicts], mode="json")
    text = json.dumps(table, indent=1, allow_nan=False, ensure_ascii=False)
    return write_atomically(run / FILE, f"{text}\n".encode(errors="replace"))


def read(run: Path) -> list[Verdict]:
    """The verdicts of a run directory; an empty list where its suite has no conditions.

    Raises:
        DataError: verdicts.json is damaged, or is not one of ours.
    """
    path = run / FILE
    text = text_beside(path, "a verdicts file")
    if text is None:
        return []
    try:
        return _ADAPTER.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"])
        why = printable(f"{place}: {first['msg']}".removeprefix(": "))
        raise DataError(f"{path}: not a verdicts file ({why}); run the suite again.") from error
