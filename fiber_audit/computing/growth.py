"""Memory that a process keeps from piece to piece: where a plugin leaks, it grows without bound."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

GIB = 2.0**30


class Growth:
    """Of this process, since the end of its first piece, which loads the networks."""

    def __init__(self) -> None:
        self._first: int | None = None

    def after_a_piece(self) -> int:
        """Bytes that it holds more than after its first piece; 0 where the system tells nothing."""
        now = _resident()
        if self._first is None:
            self._first = now
        return max(0, now - self._first)


def _resident() -> int:
    """Bytes of this process in memory. Linux tells; what getrusage tells elsewhere is the most."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0
