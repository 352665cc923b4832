"""What is said of an extractor, on its card and at the end of a run: the same sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..contracts import Table
from .answer import Answer, Unmeasured
from .chosen import audits_of
from .tiles import sentences

if TYPE_CHECKING:
    import pandas as pd

UNTOLD = (
    "No metric of the suite puts into words what {} ignores; what differs along a row, it does."
)


def told_of(
    extractor: str,
    audit: str,
    records: pd.DataFrame,
    answer: Answer,
    tables: Mapping[str, Sequence[Table]],
) -> list[str]:
    """What the audit that speaks for an extractor ignores; else what failed; else that none tells.

    Never empty.
    """
    told = [each.text for each in sentences(tables, {}) if each.audit == audit]
    failed = failed_of(extractor, records, answer)
    reasons = list(dict.fromkeys(f"Not all was measured: {u.message}" for u in failed))
    return told or reasons or [UNTOLD.format(extractor)]


def failed_of(extractor: str, records: pd.DataFrame, answer: Answer) -> list[Unmeasured]:
    """What could not be measured of any audit of an extractor, for an error."""
    audits = audits_of(records)[extractor]
    return [u for u in answer.unmeasured if u.audit in audits and u.status == "error"]
