"""Verdicts beside the records: in their columns, and whole in ``verdicts.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from .conditions import Condition, Verdict
from .decision import worst
from .errors import DataError

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


def marked(records: pd.DataFrame, verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """The records with `condition` and `status` filled in; the frame that is given is unchanged.

    A row that several conditions judge names them all and has their worst status. A verdict with
    no row (its condition matched nothing) becomes one, so that the table tells of it.
    """
    import pandas as pd

    from .records import COLUMNS, frame

    out = records.copy()
    judged: dict[int, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.row is not None:
            judged.setdefault(verdict.row, []).append(verdict)
    for row, found in judged.items():
        out.loc[row, "condition"] = "; ".join(dict.fromkeys(v.condition.title for v in found))
        status = worst(v.status for v in found)
        out.loc[row, "status"] = status
        if status != "pass" and out["message"].isna()[row]:
            out.loc[row, "message"] = next(v.message for v in found if v.status == status)
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
            "statistic": v.condition.statistic,
            "condition": v.condition.title,
            "status": v.status,
            "message": v.message,
        }
        for v in orphans
    ]
    return pd.concat([out, frame(rows)], ignore_index=True)[list(COLUMNS)]


def write(verdicts: Sequence[Verdict], run: Path) -> Path:
    """Write verdicts.json into a run directory: strict JSON, a list of verdicts."""
    from .store import write_atomically

    path = run / FILE
    text = json.dumps([asdict(v) for v in verdicts], indent=1, allow_nan=False, ensure_ascii=False)
    write_atomically(path, f"{text}\n".encode())
    return path


def read(run: Path) -> list[Verdict]:
    """The verdicts of a run directory; an empty list where its suite has no conditions.

    Raises:
        DataError: verdicts.json is not one of ours.
    """
    path = run / FILE
    if not path.is_file():
        return []
    try:
        return [_verdict(entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (TypeError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a verdicts file ({error}); run the suite again.") from error


def _verdict(entry: dict[str, object]) -> Verdict:
    condition = dict(entry.pop("condition"))  # type: ignore[call-overload]
    condition["allow"] = tuple(condition["allow"])
    known = {field.name for field in fields(Verdict)}
    return Verdict(condition=Condition(**condition), **{k: entry[k] for k in known - {"condition"}})  # type: ignore[arg-type]
