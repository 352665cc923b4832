"""The answer at the top of the page: how the run did, and what its conditions asked of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._judge.interval import WORST_FIRST, worst
from .numbers import Value, bound, text, value_of

if TYPE_CHECKING:
    import pandas as pd

    from .._judge.verdicts import Verdict

WORDS = {
    "pass": "Pass",
    "warn": "Warning",
    "fail": "Fail",
    "inconclusive": "Inconclusive",
    "error": "Error",
    "skipped": "Skipped",
    "none": "Measured",
}
"""Status -> the word at the top; "none" is a run whose suite sets no conditions."""

MARKS = {
    "pass": "✓", "warn": "!", "fail": "✗", "inconclusive": "?", "error": "✗", "skipped": "–",
    "none": "•",
}  # fmt: skip

TOLD = {
    "pass": "passed",
    "warn": "warned",
    "fail": "failed",
    "inconclusive": "undecided",
    "error": "could not be judged",
    "skipped": "skipped",
}


@dataclass(frozen=True)
class JudgedValue:
    """One measurement under one condition: its title, the bound, the status, and why."""

    audit: str
    condition: str
    bound: str
    status: str
    note: str
    value: Value


@dataclass(frozen=True)
class Unmeasured:
    """Rows without a number that share their reason."""

    status: str
    audit: str
    metrics: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Answer:
    """status is a key of WORDS; sentence says how it came about."""

    status: str
    sentence: str
    judged: list[JudgedValue]
    unmeasured: list[Unmeasured]

    @property
    def word(self) -> str:
        """The status, for people."""
        return WORDS[self.status]


def answer_of(records: pd.DataFrame, verdicts: Sequence[Verdict] = ()) -> Answer:
    """The worst of all conditions; an audit that failed makes the run an error.

    A statistic that is undefined is reported, but does not change the answer.
    """
    conditioned = records[records["condition"].notna()]
    judged = [
        value
        for index, row in conditioned.iterrows()
        for value in _judged(row, [v for v in verdicts if v.row == index])
    ]
    unmeasured = _unmeasured(records[records["condition"].isna()])
    found = {j.status for j in judged}
    statuses = [status for status in WORST_FIRST if status in found]
    failed = sum(u.status == "error" for u in unmeasured)
    if failed:
        statuses.append("error")
    if not judged and not failed and not records["value"].notna().any():
        statuses.append("skipped")
    status = worst(statuses) if statuses else "none"
    return Answer(status, _sentence(judged, failed), judged, unmeasured)


def bounds_of(records: pd.DataFrame, verdicts: Sequence[Verdict]) -> dict[int, str]:
    """Row of the records -> what is asked of its value, as far as the verdicts tell."""
    found: dict[int, dict[str, None]] = {}
    for verdict in verdicts:
        asked = bound(verdict.low, verdict.high)
        if asked and verdict.row is not None and verdict.row in records.index:
            found.setdefault(verdict.row, {})[asked] = None
    return {row: ", ".join(asked) for row, asked in found.items()}


def _judged(row: pd.Series[Any], verdicts: Sequence[Verdict]) -> Iterator[JudgedValue]:
    """One per condition on the row; one for all where the verdicts say nothing of it."""
    audit, value = text(row, "audit"), value_of(row)
    if not verdicts:
        yield JudgedValue(audit, value.condition, "", value.status, value.message, value)
    for v in verdicts:
        reason = v.message.removeprefix(f"{v.condition.title}: ")
        note = value.message if v.status == "pass" else reason
        asked = bound(v.low, v.high)
        yield JudgedValue(audit, v.condition.title, asked, v.status, note, value)


def _unmeasured(records: pd.DataFrame) -> list[Unmeasured]:
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for _, row in records[records["status"].isin(["error", "skipped"])].iterrows():
        message = text(row, "message") or "no reason was given"
        key = (text(row, "status"), text(row, "audit"), message)
        statistic, seen_by = text(row, "statistic"), text(row, "seen_by")
        which = f"{statistic} seen by {seen_by}".strip() if seen_by else statistic
        found.setdefault(key, {})[text(row, "metric") + (f" ({which})" if which else "")] = None
    return [
        Unmeasured(status, audit, tuple(names), message)
        for (status, audit, message), names in found.items()
    ]


def _sentence(judged: list[JudgedValue], failed: int) -> str:
    parts = []
    if judged:
        counts = Counter(j.status for j in judged)
        told = [f"{counts[status]} {word}" for status, word in TOLD.items() if counts[status]]
        noun = "measurement" if len(judged) == 1 else "measurements"
        parts.append(f"{len(judged)} {noun} judged by conditions: {', '.join(told)}.")
    else:
        parts.append("The suite sets no conditions, so nothing was judged.")
    if failed:
        noun = "problem" if failed == 1 else "problems"
        parts.append(f"{failed} {noun} kept measurements from being made; see below.")
    return " ".join(parts)
