"""The answer at the top of the page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..decision import worst
from .numbers import Value, cell, value_of

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
    metric: str
    statistic: str
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
    judged = [
        Judged(
            *(str(cell(row, c) or "") for c in ("audit", "metric", "statistic")),
            value=value_of(row),
        )
        for _, row in conditioned.iterrows()
    ]
    problems = _problems(records[records["condition"].isna()])
    statuses = [j.value.status for j in judged if j.value.status in WORDS]
    failed = sum(p.status == "error" for p in problems)
    if failed:
        statuses.append("error")
    if not judged and not failed and not records["value"].notna().any():
        statuses.append("skipped")
    status = worst(statuses) if statuses else "none"  # type: ignore[type-var]
    return Verdict(status, _sentence(judged, failed), judged, problems)


def _problems(records: pd.DataFrame) -> list[Problem]:
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for _, row in records[records["status"].isin(["error", "skipped"])].iterrows():
        message = str(cell(row, "message") or "no reason was given")
        key = (str(row["status"]), str(cell(row, "audit") or ""), message)
        statistic = cell(row, "statistic")
        name = str(row["metric"]) + (f" ({statistic})" if statistic else "")
        found.setdefault(key, {})[name] = None
    return [
        Problem(status, audit, tuple(names), message)
        for (status, audit, message), names in found.items()
    ]


def _sentence(judged: list[Judged], failed: int) -> str:
    parts = []
    if judged:
        counts = Counter(j.value.status for j in judged)
        words = {"pass": "hold", "warn": "warn", "fail": "fail", "inconclusive": "are undecided",
                 "error": "could not be judged", "skipped": "were skipped"}  # fmt: skip
        told = [f"{counts[s]} {word}" for s, word in words.items() if counts[s]]
        noun = "condition" if len(judged) == 1 else "conditions"
        parts.append(f"Of {len(judged)} {noun}, {', '.join(told)}.")
    else:
        parts.append("The suite sets no conditions, so nothing was judged.")
    if failed:
        noun = "problem" if failed == 1 else "problems"
        parts.append(f"{failed} {noun} kept measurements from being made; see below.")
    return " ".join(parts)
