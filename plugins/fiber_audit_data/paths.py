"""Paths as a user writes them, and what tells that a file changed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def path_of(text: str) -> Path:
    """A path; ~ is the home folder."""
    path = Path(text)
    with suppress(RuntimeError):  # nobody's home: then it is a name like any other
        path = path.expanduser()
    return path


def stamp_of(path: Path) -> str:
    """Path, size and time of change of a file."""
    found = path.stat()
    return f"{path.absolute()} {found.st_size} {found.st_mtime_ns}"
