"""The part of the page that shows draws: an entry per audit, with or without pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._score.gallery import Gallery
from .._suite.condition import LOST
from .anchors import anchor
from .numbers import cell
from .pictures import AuditGrid, Keep, grids

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class AuditDraws:
    """One audit's entry; anchor is its id on the page, lost and missing are sentences or ""."""

    audit: str
    anchor: str
    lost: str
    missing: str
    grid: AuditGrid | None


def drawn(
    records: pd.DataFrame,
    galleries: Mapping[str, Gallery],
    missing: Mapping[str, str],
    keep: Keep,
) -> list[AuditDraws]:
    """An entry for every audit that has pictures or lacks them, in the order of the records."""
    shown = grids(galleries, keep)
    audits = [str(audit) for audit in records["audit"].dropna().unique()]
    return [
        AuditDraws(
            audit=audit,
            anchor=anchor(audit),
            lost=lost_in(records, audit),
            missing=missing.get(audit, ""),
            grid=shown.get(audit),
        )
        for audit in audits
        if audit in shown or audit in missing
    ]


def lost_in(records: pd.DataFrame, audit: str) -> str:
    """How many draws of an audit were lost, as the records tell; "" where none was."""
    pooled = records[(records["metric"] == LOST) & records["query"].isna()]
    rows = pooled[pooled["audit"] == audit]
    count = int(cell(rows.iloc[0], "value") or 0) if len(rows) else 0
    if not count:
        return ""
    of = cell(rows.iloc[0], "n")
    among = f"{count} of {int(of)} draws" if of else "1 draw" if count == 1 else f"{count} draws"
    return f"{among} {'was' if count == 1 else 'were'} lost."
