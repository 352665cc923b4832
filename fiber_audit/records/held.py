"""Files that tell of each other are written, and read, by one process at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows: there, two runs of one directory may meet
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held(folder: Path, *, alone: bool) -> Iterator[None]:
    """Wait for the folder, and hold it: alone to write, beside other readers to read.

    The system lets go of it however the process ends. Nothing is held where a file system cannot.
    """
    handle = -1
    with suppress(OSError, ValueError):  # a name with a zero byte, too
        if fcntl:
            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    try:
        yield
    finally:
        if handle >= 0:
            os.close(handle)
