"""What a person sees in the terminal: a bar with time left, and the table at the end, on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from .._report.plain import plain
from ..records import headlines
from .shared import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import pandas as pd

    from .._judge.verdicts import Verdict

WIDTH = 160
"""Of what is written where stderr is no terminal."""
EVERY = 60.0
"""Seconds between two lines there."""


class Bar:
    """A progress bar on stderr, or where that is no terminal, a line every minute."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self._progress.add_task("preparing", total=None)
        self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show that `done` of `total` draws are finished; total 0 means unknown."""
        if total and self._progress.disable and time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            say(f"{done} of {total} draws, {what}")
        if total:
            self._progress.update(self._task, completed=done, total=total, description=plain(what))
        else:
            self._progress.update(self._task, description=plain(what))


def summary_table(records: pd.DataFrame, verdicts: Sequence[Verdict]) -> None:
    """Print the headline of every metric, what kept the others away, and the verdicts, on stderr.

    Nothing that comes from outside (names, messages) is read as markup or obeyed by the terminal.
    """
    console = Console(stderr=True, width=None if sys.stderr.isatty() else WIDTH)
    table = Table(title="pooled over queries; 95 % intervals")
    for name in ("audit", "metric", "axis", "value", "interval", "status"):
        table.add_column(name, justify="right" if name == "value" else "left")
    rows = headlines(records).astype(object)
    for row in rows.where(rows.notna(), None).to_dict("records"):
        table.add_row(*(Text(plain(cell)) for cell in _cells(row)))
    console.print(table)
    for verdict in verdicts:
        console.print(Text(f"{verdict.status}: {plain(verdict.message)}"))


def _cells(row: dict[Any, Any]) -> tuple[str, ...]:
    """One headline, a text per column."""
    value = "" if row["value"] is None else f"{row['value']:.4g}"
    known = row["ci_low"] is not None and row["ci_high"] is not None
    interval = f"{row['ci_low']:.3g} … {row['ci_high']:.3g}" if known else ""
    note = f" {row['message'] or ''}" if row["status"] in ("error", "skipped") else ""
    metric = f"{row['metric']}, seen by {row['seen_by']}" if row["seen_by"] else row["metric"]
    return (row["audit"], metric, row["axis"] or "", value, interval, f"{row['status']}{note}")
