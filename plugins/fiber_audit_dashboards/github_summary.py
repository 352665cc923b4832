"""GitHub Actions: a step summary in markdown, and annotations for what needs a look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit.contracts import Exporter
from fiber_audit.records import headlines, write_atomically

from .cases import Case, Status, cases
from .markdown import address, cell, command
from .run_facts import facts
from .series import readings

if TYPE_CHECKING:
    import pandas as pd

LIMIT = 1000 * 1024
"""Bytes; GitHub drops a summary of more than 1024 KiB, whole."""
SIGNS: dict[Status, str] = {
    "pass": "✅",
    "warn": "⚠️",
    "fail": "❌",
    "inconclusive": "❔",
    "error": "💥",
    "skipped": "⏭️",
}
LEVELS: dict[Status, str] = {
    "fail": "error",
    "error": "error",
    "warn": "warning",
    "inconclusive": "notice",
}
MAX_ANNOTATIONS = 10
"""GitHub shows ten of a level and step, and hides the rest."""


@dataclass(frozen=True)
class GithubSummary(Exporter):
    """summary.md is for ``$GITHUB_STEP_SUMMARY``, annotations.txt for the standard output.

    report_url: where report.html will be found, for instance the address of an artifact. Pictures
    are there: a summary can embed none.
    """

    report_url: str = ""

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Write out/summary.md and out/annotations.txt."""
        found = cases(records, run)
        lines = [*self._head(records), *_verdicts(found), *_numbers(records)]
        return [
            write_atomically(out / "summary.md", within(lines)),
            write_atomically(out / "annotations.txt", "".join(_annotations(found))),
        ]

    def _head(self, records: pd.DataFrame) -> Iterator[str]:
        about = facts(records)
        yield f"## fiber-audit: {cell(about.suite)}"
        yield ""
        commit = f" at <code>{cell(about.git_sha[:10])}</code>" if about.git_sha else ""
        report = f" · [report with pictures]({address(self.report_url)})" if self.report_url else ""
        run = f"Run <code>{cell(about.run_id)}</code>, started {cell(about.started_at)}"
        yield f"{run}{commit}{report}"
        yield ""


def _verdicts(found: Sequence[Case]) -> Iterator[str]:
    yield "| | audit | condition | |"
    yield "|---|---|---|---|"
    for case in sorted(found, key=lambda case: case.status == "pass"):
        texts = " | ".join(cell(text) for text in (case.audit, case.name, case.message))
        yield f"| {SIGNS[case.status]} | {texts} |"
    yield ""


def _numbers(records: pd.DataFrame) -> Iterator[str]:
    shown = headlines(records)
    shown = shown[shown["better"].isin(["lower", "higher"]) & shown["value"].notna()]
    if shown.empty:
        return
    yield "<details><summary>Measurements</summary>"
    yield ""
    yield "| audit | metric | value | 95 % interval | n | better |"
    yield "|---|---|---:|---|---:|---|"
    for r in readings(shown):
        known = r.ci_low is not None and r.ci_high is not None
        interval = f"{r.ci_low:.4g} … {r.ci_high:.4g}" if known else ""
        view = f"{r.statistic}, seen by {r.seen_by}" if r.seen_by else r.statistic
        cells = [r.audit, f"{r.metric} ({view})", f"{r.value:.4g} {r.unit}", interval]
        cells += ["" if r.n is None else str(r.n), r.better]
        yield f"| {' | '.join(cell(text) for text in cells)} |"
    yield ""
    yield "</details>"


def within(lines: Sequence[str], limit: int = LIMIT) -> str:
    """The lines as one text of at most `limit` bytes; what is cut is said to be."""
    left, kept = limit - 200, 0
    for line in lines:
        left -= len(line.encode()) + 1
        if left < 0:
            break
        kept += 1
    cut = len(lines) - kept
    said = ["", f"_{cut} more lines are in records.csv; GitHub shows no longer summary._"]
    return "\n".join([*lines[:kept], *(said if cut else [])]) + "\n"


def _annotations(found: Sequence[Case]) -> Iterator[str]:
    shown = Counter[str]()
    for case in found:
        level = LEVELS.get(case.status)
        if level and shown[level] < MAX_ANNOTATIONS:
            shown[level] += 1
            yield command(level, f"fiber-audit: {case.name}", case.message)
