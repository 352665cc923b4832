"""Stdout carries our data: what libraries print while they work goes to stderr."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress


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
