"""The folder of an export: made, and held by one export at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fiber_audit import DiskError

try:
    import fcntl
except ImportError:  # not on Windows: there, two exports at one time must take two folders
    fcntl = None  # type: ignore[assignment]


def made(folder: Path) -> Path:
    """The folder, which is there now.

    Raises:
        DiskError: it is a file, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DiskError(f"{folder}: cannot be written ({reason}).") from error
    return folder


@contextmanager
def held(folder: Path) -> Iterator[Path]:
    """Make the folder and hold it: what two exports add to one history is added one by one."""
    handle = os.open(made(folder), os.O_RDONLY) if fcntl else -1
    try:
        if fcntl:
            with suppress(OSError):  # some network file systems cannot
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
    finally:
        if fcntl:
            os.close(handle)
