"""Paths as a user writes them, and what tells that a file changed."""

from __future__ import annotations

from pathlib import Path

from fiber_audit.loading import placed


def path_of(text: str) -> Path:
    """A path; ~ is the home folder, "package:path" is in an installed package."""
    return placed(text)


def stamp_of(path: Path) -> str:
    """Path, size and time of change of a file."""
    found = path.stat()
    return f"{path.absolute()} {found.st_size} {found.st_mtime_ns}"
