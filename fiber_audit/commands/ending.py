"""How a run ended, on stderr: every headline, the verdicts, and last what the page says first."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .._report.answer import answer_of
from .._report.chosen import chosen_audits
from .._report.plain import plain
from .._report.told import told_of
from .._score.exhibits import load as load_exhibits
from ..records import headlines

if TYPE_CHECKING:
    import pandas as pd

    from .._run import Run
    from ..contracts import Table as Told

WIDTH = 160
"""Of what is written where stderr is no terminal."""
STYLES = {"pass": "green", "fail": "bold red", "error": "bold red", "warn": "yellow",
          "inconclusive": "yellow"}  # fmt: skip


def tell_ending(done: Run, quiet: bool = False, colour: bool = True) -> None:
    """Tell a person what a finished run found; quietly, only the verdicts that are no pass.

    Nothing that comes from outside (names, messages) is read as markup or obeyed by the terminal.
    """
    piped = not sys.stderr.isatty()  # a sentence there is one line, however long
    width = WIDTH if piped else None
    console = Console(stderr=True, width=width, no_color=None if colour else True, highlight=False)
    if not quiet:
        console.print(headline_table(done.records))
    for verdict in done.verdicts:
        if not (quiet and verdict.status == "pass"):
            status = Text(verdict.status, STYLES.get(verdict.status, ""))
            console.print(Text.assemble(status, f": {plain(verdict.message)}"), soft_wrap=piped)
    if not quiet:
        for sentence in first_screen(done, load_exhibits(done.path)):
            console.print(Text(plain(sentence)), soft_wrap=piped)


def headline_table(records: pd.DataFrame) -> Table:
    """The headline of every metric, and what kept the others away."""
    table = Table(title="pooled over queries; 95 % intervals")
    for name in ("audit", "metric", "axis", "value", "interval", "status"):
        table.add_column(name, justify="right" if name == "value" else "left")
    rows = headlines(records).astype(object)
    for row in rows.where(rows.notna(), None).to_dict("records"):
        *cells, status = (plain(cell) for cell in _cells(row))
        table.add_row(*map(Text, cells), Text(status, STYLES.get(row["status"], "")))
    return table


def first_screen(done: Run, tables: Mapping[str, Sequence[Told]]) -> Iterator[str]:
    """The sentences of the page's first screen: an extractor's, of the audit that is shown."""
    answer = answer_of(done.records, done.verdicts)
    for extractor, (audit, _) in chosen_audits(done.records, answer).items():
        yield from told_of(extractor, audit, done.records, answer, tables)


def _cells(row: dict[Any, Any]) -> tuple[str, ...]:
    """One headline, a text per column."""
    value = "" if row["value"] is None else f"{row['value']:.4g}"
    known = row["ci_low"] is not None and row["ci_high"] is not None
    interval = f"{row['ci_low']:.3g} … {row['ci_high']:.3g}" if known else ""
    note = f" {row['message'] or ''}" if row["status"] in ("error", "skipped") else ""
    metric = f"{row['metric']}, seen by {row['seen_by']}" if row["seen_by"] else row["metric"]
    return (row["audit"], metric, row["axis"] or "", value, interval, f"{row['status']}{note}")
