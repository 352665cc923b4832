"""The answer at the top of the page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..decision import WORST_FIRST, worst
from .numbers import Value, text, value_of

if TYPE_CHECKING:
    import pandas as pd

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


@dataclass(frozen=True)
class Judged:
    """One measurement that a condition looked at."""

    audit: str
    value: Value


@dataclass(frozen=True)
class Problem:
    """Rows without a number that share their reason."""

    status: str
    audit: str
    metrics: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Verdict:
    """status is a key of WORDS; sentence says how it came about."""

    status: str
    sentence: str
    judged: list[Judged]
    problems: list[Problem]

    @property
    def word(self) -> str:
        """The status, for people."""
        return WORDS[self.status]


def verdict_of(records: pd.DataFrame) -> Verdict:
    """The worst of all conditions; an audit that failed makes the run an error.

    A statistic that is undefined is reported, but does not change the verdict.
    """
    conditioned = records[records["condition"].notna()]
    judged = [Judged(text(row, "audit"), value_of(row)) for _, row in conditioned.iterrows()]
    problems = _problems(records[records["condition"].isna()])
    told = {j.value.status for j in judged}
    statuses = [status for status in WORST_FIRST if status in told]
    failed = sum(p.status == "error" for p in problems)
    if failed:
        statuses.append("error")
    if not judged and not failed and not records["value"].notna().any():
        statuses.append("skipped")
    status = worst(statuses) if statuses else "none"
    return Verdict(status, _sentence(judged, failed), judged, problems)


def _problems(records: pd.DataFrame) -> list[Problem]:
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for _, row in records[records["status"].isin(["error", "skipped"])].iterrows():
        message = text(row, "message") or "no reason was given"
        key = (text(row, "status"), text(row, "audit"), message)
        statistic = text(row, "statistic")
        name = text(row, "metric") + (f" ({statistic})" if statistic else "")
        found.setdefault(key, {})[name] = None
    return [
        Problem(status, audit, tuple(names), message)
        for (status, audit, message), names in found.items()
    ]


def _sentence(judged: list[Judged], failed: int) -> str:
    parts = []
    if judged:
        counts = Counter(j.value.status for j in judged)
        words = {"pass": "passed", "warn": "warned", "fail": "failed", "inconclusive": "undecided",
                 "error": "could not be judged", "skipped": "skipped"}  # fmt: skip
        told = [f"{counts[s]} {word}" for s, word in words.items() if counts[s]]
        noun = "measurement" if len(judged) == 1 else "measurements"
        parts.append(f"{len(judged)} {noun} judged by conditions: {', '.join(told)}.")
    else:
        parts.append("The suite sets no conditions, so nothing was judged.")
    if failed:
        noun = "problem" if failed == 1 else "problems"
        parts.append(f"{failed} {noun} kept measurements from being made; see below.")
    return " ".join(parts)
