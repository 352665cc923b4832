"""What a CI shows: one case per condition and audit, and one for each audit that it finished."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit.decision import Status, worst
from fiber_audit.verdicts import read

if TYPE_CHECKING:
    import pandas as pd

NOWHERE = "(no audit)"
"""The audit of a condition that matched none."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Characters that XML cannot hold."""


@dataclass(frozen=True)
class Case:
    """One line of a CI's test list: its status, and why."""

    audit: str
    name: str
    status: Status
    message: str
    properties: Mapping[str, str] = field(default_factory=dict)


def cases(records: pd.DataFrame, run: Path) -> list[Case]:
    """Cases audit by audit, in the order of the records; names are stable between runs."""
    verdicts = read(run)
    audits = [str(audit) for audit in records["audit"].dropna().unique()]
    found = []
    for audit in [*audits, ""]:
        if audit:
            found.append(_finished(records, audit))
        for verdict in verdicts:
            if verdict.audit == audit:
                numbers = {
                    name: repr(value)
                    for name in ("value", "ci_low", "ci_high", "n", "low", "high", "needed")
                    if (value := getattr(verdict, name)) is not None
                }
                title = verdict.condition.title
                message = CONTROL.sub("?", verdict.message.removeprefix(f"{title}: "))
                found.append(Case(audit or NOWHERE, title, verdict.status, message, numbers))
    return found


def _finished(records: pd.DataFrame, audit: str) -> Case:
    """The case that an audit was drawn and measured: every metric that was not is named.

    A row without a sampler only tells of a condition that matched nothing.
    """
    rows = records[(records["audit"] == audit) & records["sampler"].notna()]
    broken = rows[rows["status"].isin(["error", "skipped"]) & rows["statistic"].isna()]
    if broken.empty:
        return Case(audit, "every metric was measured", "pass", "")
    said = dict.fromkeys(str(message) for message in broken["message"].dropna())
    status = worst(set(broken["status"]))
    message = CONTROL.sub("?", "; ".join(said))
    return Case(audit, "every metric was measured", status, message)
