"""What a run gives back: numbers as frames, draws as a figure, the page as a path."""

from __future__ import annotations

from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from .._judge.interval import exit_code
from .._score.exhibits import load as load_tables
from .._score.gallery import FOLDER, Gallery, load_all
from ..errors import UsageError, suggestion
from ..records import headlines

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from .._judge.verdicts import Verdict
    from .._run import Run

SHOWN = (
    "audit",
    "metric",
    "axis",
    "value",
    "ci_low",
    "ci_high",
    "n",
    "unit",
    "better",
    "status",
    "message",
)


class Result:
    """A finished run. In a notebook it shows the table of headlines."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def path(self) -> Path:
        """The run directory."""
        return self._run.path

    @property
    def report(self) -> Path:
        """The page, one file that opens from disk."""
        return self.path / "report.html"

    @property
    def records(self) -> pd.DataFrame:
        """All numbers, tidy: one row per audit, metric and statistic, and per query where it is."""
        return self._run.records

    @property
    def verdicts(self) -> list[Verdict]:
        """What the conditions say, one verdict for each audit that they match."""
        return self._run.verdicts

    @property
    def passed(self) -> bool:
        """True where no condition failed and nothing ended in an error."""
        return self._run.failed == 0 and exit_code(self.verdicts) in (0, 5)

    def table(self) -> pd.DataFrame:
        """One row per audit and metric: the headline with its 95 % interval."""
        found = headlines(self.records)
        return found[list(SHOWN)].reset_index(drop=True)

    @cached_property
    def sentences(self) -> dict[str, str]:
        """Audit -> in plain words, what its network ignores and what it pins."""
        tables = (table for offered in load_tables(self.path).values() for table in offered)
        return {audit: told for table in tables for audit, told in table.sentences.items()}

    def show(self, audit: str | None = None, queries: int = 6) -> Figure:
        """Queries, left, and their draws from the smallest fiber loss to the largest, as a figure.

        Raises:
            UsageError: there is no such audit, or its queries are no images.
        """
        from .figure import draws_of

        chosen = audit or next(iter(self._galleries), "")
        if chosen not in self._galleries:
            raise UsageError(
                f"audit {chosen!r}: no pictures. {suggestion(chosen, self._galleries)}"
            )
        return draws_of(self._galleries[chosen], queries)

    @cached_property
    def _galleries(self) -> dict[str, Gallery]:
        return {each.audit: each for each in load_all(self.path / FOLDER)}

    def __repr__(self) -> str:
        return f"Result({str(self.path)!r}, {'passed' if self.passed else 'not passed'})"

    def _repr_html_(self) -> str:
        shown = self.table().astype(object)
        shown = shown.where(shown.notna(), "")
        said = [f"{audit}: {sentence}" for audit, sentence in self.sentences.items()]
        said += [f"{v.status}: {v.message}" for v in self.verdicts]
        told = "".join(f"<li>{escape(each)}</li>" for each in said)
        word = "passed" if self.passed else "not passed"
        return (
            f"<p><b>fiber-audit: {word}</b> <code>{escape(str(self.report))}</code></p>"
            f"{f'<ul>{told}</ul>' if told else ''}"
            f"{shown.to_html(index=False, border=0, float_format='{:.4g}'.format)}"
        )
