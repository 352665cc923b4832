"""The run directory as this process and its workers see it: on a file system that they share."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fiber_audit.computing import attempt_apart

SUITE = "suite.toml"


@dataclass(frozen=True)
class Directory:
    """A folder that all nodes see at the same place. run: None where work has none.

    suite: what its suite.toml holds, by which a worker knows that it sees the same folder.
    """

    run: Path | None = None
    suite: bytes = b""

    def open(self) -> None:
        """In this process, before a worker is given anything."""

    def send(self, piece: Any) -> None:
        """In this process: make what a piece reads visible to workers."""

    def receive(self, made: Sequence[str]) -> None:
        """In this process: bring what a worker made into the run directory."""

    def unseen(self) -> str:
        """In a worker: why it does not see the directory, a sentence; "" where it does."""
        if self.run is None:
            return ""
        with suppress(OSError):
            if (self.run / SUITE).read_bytes() == self.suite:
                return ""
        return (
            f"executor: a worker on {platform.node()} does not see {self.run / SUITE}; put the run "
            f"directory (--out) where all nodes see it, or name a place for an exchange of files: "
            f'storage = "s3://bucket/prefix".'
        )

    def compute(self, work: Callable[[Any], Any], piece: Any) -> tuple[Any, tuple[str, ...]]:
        """In a worker: (work(piece) or the exception that it raised, names for receive())."""
        return attempt_apart(work, piece), ()
