"""Files that a crash, a full disk or a reader never sees half written."""

from __future__ import annotations

import errno
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .errors import DataError, DiskError, FiberAuditError

PREFIX = ".writing-"
"""How names of temporary files and folders begin, so that those of the dead can be swept."""

DAY = 24 * 60 * 60.0
ENDLESS = 2**26
"""Of what is no regular file (a pipe, /dev/zero) so many bytes are read, not more."""


def write_atomically(path: Path, content: bytes | str) -> Path:
    r"""Write a file so that a reader, or a crash, sees the old one or the new one, whole.

    Text becomes UTF-8; half a surrogate pair, which UTF-8 cannot hold, becomes the text \udc80.

    Raises:
        DiskError: the folder cannot be written, or the disk is full. The old file is untouched.
    """
    if isinstance(content, str):
        content = content.encode("utf-8", "backslashreplace")
    with replacing(path) as file:
        file.write(content)
    return path


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well, and vanishes otherwise.

    It keeps the rights of the file that it replaces; a new file's are what the umask leaves. A
    link stays, and what it leads to is replaced. A device or a pipe is written directly.

    Raises:
        DiskError: as above. Errors of other files within the block pass as they are.
    """
    target, temporary, opened = _open(path)
    try:
        with opened as file:
            yield file
            file.flush()
            if temporary:
                os.fsync(file.fileno())
        if temporary:
            with suppress(OSError):  # there is none, or the file system knows no rights
                shutil.copymode(target, temporary)
            temporary.replace(target)
    except OSError as error:
        ours = error.filename is None or error.filename == str(temporary)
        if isinstance(error, FiberAuditError) or not ours:
            raise
        raise _unwritable(path, error) from error
    finally:
        if temporary:
            with suppress(OSError):
                temporary.unlink()


def append(path: Path, line: str) -> None:
    """Add a line to a text file, whole or not at all; several processes may do so at once.

    Raises:
        DiskError: the file cannot be written, or the disk is full.
    """
    content = f"{line}\n".encode("utf-8", "backslashreplace")
    try:
        with path.open("ab", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            if file.write(content) < len(content):
                file.truncate(end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A new folder within a folder, for large files that are needed until the block ends.

    Raises:
        DiskError: the folder cannot be written, or the disk is full.
    """
    path = folder / _temporary()
    try:
        path.mkdir()
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def reserve(path: Path) -> None:
    """Take from the disk what the holes of a file need; who writes to a mapped hole may be killed.

    Raises:
        DiskError: the file cannot be written, or the disk is full.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, path.stat().st_size))
    except OSError as error:
        raise _unwritable(path, error) from error


def sweep(folder: Path) -> None:
    """Remove what is temporary in a folder and nobody is writing; never raises.

    That is what this machine's dead processes left, and what is older than a day.
    """
    with suppress(OSError):
        for path in folder.glob(f"{PREFIX}*"):
            with suppress(OSError):
                if not _abandoned(path):
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()


def read_text(path: Path, what: str) -> str:
    """The text of a UTF-8 file (a BOM is dropped); `what` is what it should have been.

    Raises:
        DataError: it is missing, is a folder, cannot be read, has no end or is not text.
    """
    try:
        with path.open("rb") as file:
            content = file.read() if path.is_file() else file.read(ENDLESS)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not {what}: byte {error.start} is not UTF-8.") from error
    except MemoryError as error:
        raise DataError(f"{path}: not {what}: it does not fit into memory.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not {what} ({_reason(error)}).") from error
    if len(content) == ENDLESS and not path.is_file():
        raise DataError(f"{path}: not {what}: it does not end.")
    if "\0" in text:
        raise DataError(f"{path}: not {what}: it is binary.")
    return text


def _open(path: Path) -> tuple[Path, Path | None, IO[bytes]]:
    """What to write in the end, the temporary file on the way there, and that one opened."""
    try:
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file() and not target.is_dir():
            return target, None, target.open("wb")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / _temporary()
        return target, temporary, temporary.open("xb")
    except FileExistsError as error:
        raise DiskError(f"{path}: cannot be written: {error.filename} is no folder.") from error
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def _temporary() -> str:
    """A new name, with the process and the machine that it belongs to."""
    return f"{PREFIX}{os.getpid()}-{_machine()}-{secrets.token_hex(8)}"


def _abandoned(temporary: Path) -> bool:
    found = re.match(rf"{re.escape(PREFIX)}(\d+)-(.*)-", temporary.name)
    if found and found[2] == _machine() and not lives(int(found[1])):
        return True
    return time.time() - temporary.stat().st_mtime > DAY


def _machine() -> str:
    """This machine's name, as a part of a file's name; several may share a folder."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", platform.node())[:64]


def lives(process: int) -> bool:
    """Whether a process of this machine runs, as far as that can be known."""
    if os.name != "posix":  # where signal 0 is not a question
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    with suppress(OSError):  # a dead one that nobody has asked for, as in containers, is a zombie
        state = Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2]
        return state.split()[:1] != ["Z"]
    return True


def _unwritable(path: Path, error: Exception) -> DiskError:
    return DiskError(f"{path}: cannot be written ({_reason(error)}).")


def _reason(error: Exception) -> str:
    told = error.strerror if isinstance(error, OSError) else None
    return (told or str(error)).lower()
