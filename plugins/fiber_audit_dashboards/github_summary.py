"""GitHub Actions: a step summary in markdown, and annotations for what needs a look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit.compare import headlines
from fiber_audit.contracts import Exporter

from .cases import Case, cases
from .series import facts, points

if TYPE_CHECKING:
    import pandas as pd

    from fiber_audit.decision import Status

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
        out.mkdir(parents=True, exist_ok=True)
        summary, annotations = out / "summary.md", out / "annotations.txt"
        lines = [*self._head(records), *_verdicts(found), *_numbers(records)]
        summary.write_text(within(lines), encoding="utf-8")
        annotations.write_text("".join(_annotations(found)), encoding="utf-8")
        return [summary, annotations]

    def _head(self, records: pd.DataFrame) -> Iterator[str]:
        about = facts(records)
        yield f"## fiber-audit: {cell(about.suite)}"
        yield ""
        commit = f" at `{about.git_sha[:10]}`" if about.git_sha else ""
        report = f" · [report with pictures]({self.report_url})" if self.report_url else ""
        yield f"Run `{about.run_id}`, started {about.started_at}{commit}{report}"
        yield ""


def _verdicts(found: Sequence[Case]) -> Iterator[str]:
    yield "| | audit | condition | |"
    yield "|---|---|---|---|"
    for case in sorted(found, key=lambda case: [*SIGNS].index(case.status) == 0):
        texts = " | ".join(cell(text) for text in (case.audit, case.name, case.message))
        yield f"| {SIGNS[case.status]} | {texts} |"
    yield ""


def _numbers(records: pd.DataFrame) -> Iterator[str]:
    shown = headlines(records)
    if shown["value"].isna().all():
        return
    yield "<details><summary>Measurements</summary>"
    yield ""
    yield "| audit | metric | value | 95 % interval | n | better |"
    yield "|---|---|---:|---|---:|---|"
    for p in points(shown):
        known = p.ci_low is not None and p.ci_high is not None
        interval = f"{p.ci_low:.4g} … {p.ci_high:.4g}" if known else ""
        cells = [p.audit, f"{p.metric} ({p.statistic})", f"{p.value:.4g} {p.unit}"]
        cells += [interval, str(p.n or ""), p.better]
        yield f"| {' | '.join(cell(text) for text in cells)} |"
    yield ""
    yield "</details>"


def cell(text: str) -> str:
    """A text that stays inside its table cell and starts no markup.

    >>> cell("a|b <c>")
    'a&#124;b &lt;c>'
    """
    plain = " ".join(text.split())
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), ("|", "&#124;"), ("`", "&#96;")):
        plain = plain.replace(sign, entity)
    return plain


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
    shown: dict[str, int] = {}
    for case in found:
        level = LEVELS.get(case.status)
        if level and shown.get(level, 0) < MAX_ANNOTATIONS:
            shown[level] = shown.get(level, 0) + 1
            title = _escaped(f"fiber-audit: {case.name}").replace(":", "%3A").replace(",", "%2C")
            yield f"::{level} title={title}::{_escaped(case.message)}\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
