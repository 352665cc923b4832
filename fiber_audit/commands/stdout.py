"""Stdout carries our data: what libraries print while they work goes to stderr."""

from __future__ import annotations

import ctypes
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any


class _Lenient(io.FileIO):
    """A file whose writer does not care whether there is room, or a reader."""

    def write(self, data: Any) -> int:
        """Write what can be written."""
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def need_no_stderr() -> None:
    """Go on where stderr is closed, full or has lost its reader: what it carries is no result."""
    try:
        os.fstat(2)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    raw = io.BufferedWriter(_Lenient(2, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True)


@contextmanager
def libraries_on_stderr() -> Iterator[None]:
    """Send Python's stdout, and that of compiled libraries and child processes, to stderr."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # no stdout at all
        kept = -1
    try:
        if kept >= 0:
            os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        with suppress(OSError, AttributeError):  # what C libraries have not written yet
            ctypes.CDLL(None).fflush(None)
        if kept >= 0:
            os.dup2(kept, 1)
            os.close(kept)
