"""What a run is doing, on stderr: a live line; where that is no terminal, one now and then."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from .._report.plain import plain
from .pace import Pace
from .shared import say

FIRST, MOST = 10.0, 60.0
"""Seconds of silence before a line where stderr is no terminal: they double up to the most."""


class Bar:
    """Shows what is going on; it moves while nothing is finished, too.

    quiet: show nothing. colour: as far as the terminal has any.
    """

    def __init__(self, quiet: bool = False, colour: bool = True) -> None:
        self._pace, self._drawing, self._what = Pace(), False, "starting"
        console = Console(stderr=True, no_color=None if colour else True)
        live = sys.stderr.isatty() and not console.is_dumb_terminal
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            BarColumn(20),
            _Draws(self),
            TimeElapsedColumn(),
            console=console,
            disable=quiet or not live,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task(self._what, total=None)
        self._over, self._changed = threading.Event(), threading.Event()
        self._beat = threading.Thread(target=self._lines, name="fiber-audit-progress", daemon=True)
        self._silent = quiet or live

    def __enter__(self) -> Self:
        self._progress.start()
        if not self._silent:
            self._beat.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
        self._over.set()
        self._changed.set()
        if self._beat.is_alive():
            self._beat.join()

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show that `done` of `total` draws are finished; total 0 means unknown."""
        if self._drawing != bool(total):
            self._changed.set()
        self._drawing, self._what = bool(total), plain(what)
        if total:
            self._pace.add(done, total)
        self._progress.update(
            self._task, description=self._what, completed=done, total=total or None
        )

    def words(self) -> str:
        """What is known of the draws, while there are some to draw."""
        return self._pace.words() if self._drawing else ""

    def _lines(self) -> None:
        wait = FIRST
        while not self._over.is_set():
            if self._changed.wait(wait):
                self._changed.clear()
                wait = FIRST
                continue
            say(f"{self.words()}, {self._what}" if self._drawing else self._what)
            wait = min(2 * wait, MOST)


class _Draws(ProgressColumn):
    """The count of draws, the pace, and the time that is left."""

    def __init__(self, bar: Bar) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._bar = bar

    def render(self, task: Task) -> Text:
        """The words of the moment."""
        return Text(self._bar.words())
