"""One fit at a time in a folder: two would overwrite each other's checkpoints."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DiskError, UsageError

try:
    import fcntl
except ImportError:  # not on Windows: there, nobody is kept from a second fit
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make the folder and hold it; the system lets go of it however the process ends.

    Raises:
        UsageError: another fit holds it.
        DiskError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY) if fcntl else -1
    except OSError as error:
        raise DiskError(f"{folder}: cannot be written ({error}).") from error
    try:
        if fcntl:
            _hold(handle, folder)
        yield
    finally:
        if fcntl:
            os.close(handle)


def _hold(handle: int, folder: Path) -> None:
    with suppress(OSError):  # some network file systems cannot
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"{folder}: another fit is at work there; wait for it, or give another path."
            ) from error
