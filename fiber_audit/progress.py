"""What a person sees in the terminal: a bar with time left, and the table at the end, on stderr."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from .conditions import Verdict


class Bar:
    """A progress bar on stderr; nothing where stderr is not a terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self._progress.add_task("preparing", total=None)

    def __enter__(self) -> Bar:
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
        if total:
            self._progress.update(self._task, completed=done, total=total, description=what)
        else:
            self._progress.update(self._task, description=what)


def summary_table(records: pd.DataFrame, verdicts: Sequence[Verdict]) -> None:
    """Print the pooled headline of every metric, and the verdicts, on stderr."""
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 160)
    shown = records["statistic"].isna() | (records["statistic"] == "mean")
    table = Table(title="pooled over queries; 95 % intervals")
    for name in ("audit", "metric", "axis", "value", "interval", "status"):
        table.add_column(name, justify="right" if name == "value" else "left")
    rows = records[records["query"].isna() & shown].astype(object)
    for row in rows.where(rows.notna(), None).to_dict("records"):
        value = "" if row["value"] is None else f"{row['value']:.4g}"
        known = row["ci_low"] is not None and row["ci_high"] is not None
        interval = f"{row['ci_low']:.3g} … {row['ci_high']:.3g}" if known else ""
        note = f" {row['message']}" if row["status"] in ("error", "skipped") else ""
        status = f"{row['status']}{note}"
        table.add_row(row["audit"], row["metric"], row["axis"] or "", value, interval, status)
    console.print(table)
    for verdict in verdicts:
        console.print(f"{verdict.status}: {verdict.message}", markup=False, highlight=False)
