"""The run directory as this process and its workers see it: on a file system that they share."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fiber_audit import DiskError
from fiber_audit.computing import attempt_apart, own_folder


@dataclass
class Directory:
    """A folder that all nodes see at the same place. run: None where work has none.

    sign: a folder in it, made for this work, by which a worker knows that it sees no copy.
    """

    run: Path | None = None
    sign: str = ""

    def open(self) -> None:
        """In this process, before a worker is given anything.

        Raises:
            DiskError: the folder cannot be written.
        """
        if self.run is not None:
            try:
                self.sign = own_folder(".ray", str(self.run)).name
            except OSError as error:
                told = (error.strerror or str(error)).lower()
                raise DiskError(f"{self.run}: cannot be written ({told}).") from error

    def close(self) -> None:
        """In this process, after all."""
        if self.run is not None and self.sign:
            with suppress(OSError):
                (self.run / self.sign).rmdir()

    def send(self, piece: Any) -> None:
        """In this process: make what a piece reads visible to workers."""

    def receive(self, made: Sequence[str]) -> None:
        """In this process: bring what a worker made into the run directory."""

    def unseen(self) -> str:
        """In a worker: why it does not see the directory, a sentence; "" where it does."""
        if self.run is None or (self.run / self.sign).is_dir():
            return ""
        return (
            f"executor: a worker on {platform.node()} does not see the run directory {self.run} of "
            f"this command; put it (--out) where all nodes see it, or name a place for an exchange "
            f'of files: storage = "s3://bucket/prefix".'
        )

    def compute(self, work: Callable[[Any], Any], piece: Any) -> tuple[Any, tuple[str, ...]]:
        """In a worker: (work(piece) or the exception that it raised, names for receive())."""
        return attempt_apart(work, piece), ()
