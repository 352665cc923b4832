"""Files that a crash, a full disk or a reader never sees half written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .errors import DataError, DiskError

PREFIX = ".writing-"
"""How the names of temporary files begin, so that those of killed processes can be swept."""


def write_atomically(path: Path, content: bytes | str) -> Path:
    """Write a file so that a reader, or a crash, sees the old one or the new one, whole.

    Raises:
        DiskError: the folder cannot be written, or the disk is full. The old file is untouched.
    """
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well, and vanishes otherwise."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{PREFIX}{os.getpid()}-")
    except OSError as error:
        raise DiskError(f"{path}: cannot be written ({_reason(error)}).") from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise DiskError(f"{path}: cannot be written ({_reason(error)}).") from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder."""
    for path in folder.glob(f"{PREFIX}*"):
        owner = path.name.removeprefix(PREFIX).partition("-")[0]
        if not (owner.isdigit() and _lives(int(owner))):
            path.unlink(missing_ok=True)


def read_text(path: Path, what: str) -> str:
    """The text of a UTF-8 file (a BOM is dropped); `what` is what it should have been.

    Raises:
        DataError: it is missing, is a folder, cannot be read or is not text.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not {what}: byte {error.start} is not UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path}: not {what} ({_reason(error)}).") from error
    if "\0" in text:
        raise DataError(f"{path}: not {what}: it is binary.")
    return text


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
