"""Pictures in tar files, as a source: an index of where each begins, made once from the headers."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

from fiber_audit import DataError

from .folder import EXTENSIONS
from .paths import stamp_of
from .shards import shards

END = 512
"""Bytes of a block; the last one of a tar file is zero."""


class Span(NamedTuple):
    """Bytes of a file."""

    file: Path
    start: int
    size: int

    def read(self) -> bytes:
        """They themselves."""
        with self.file.open("rb") as opened:
            opened.seek(self.start)
            return opened.read(self.size)


class TarShards:
    """Samples in the layout of webdataset: members with one name and several endings.

    The name of a picture is shard and member, 00000.tar/n01440764_1.jpg. A sample is what is before
    the first dot of the last part of a member's name.

    Raises:
        DataError: there are no such files, or one is compressed or damaged.
    """

    def __init__(self, path: str) -> None:
        self.pictures: dict[str, Span] = {}
        self._sides: dict[tuple[str, str], Span] = {}
        for short, file in shards(path, ".tar").items():
            for member, start, size in _members(file):
                span, whole = Span(file, start, size), f"{short}/{member}"
                sample, ending = _split(whole)
                if f".{ending}".lower().endswith(EXTENSIONS):
                    self.pictures[whole] = span
                else:
                    self._sides[sample, ending] = span

    def open(self, name: str) -> IO[bytes]:
        """One encoded picture."""
        return BytesIO(self.pictures[name].read())

    def stamp(self, name: str) -> str:
        """Of the whole shard, and where in it."""
        span = self.pictures[name]
        return f"{stamp_of(span.file)} {span.start}"

    def place(self, name: str) -> str:
        """Shard and member."""
        return f"{self.pictures[name].file}, {name.partition('.tar/')[2]}"

    def beside(self, name: str, ending: str) -> int | str | None:
        """Another member of a picture's sample, as a whole number or a text; None if missing."""
        span = self._sides.get((_split(name)[0], ending))
        text = "" if span is None else span.read().decode("utf-8", "replace").strip()
        try:
            return int(text)
        except ValueError:
            return text or None


def _members(file: Path) -> list[tuple[str, int, int]]:
    """Name, start and size of every file within."""
    try:
        with tarfile.open(file, "r:") as opened:
            found = [
                (m.name.removeprefix("./"), m.offset_data, m.size) for m in opened if m.isreg()
            ]
        with file.open("rb") as raw:
            raw.seek(-END, 2)
            if raw.tell() % END or any(raw.read()):  # of a cut one, tarfile shows what is left
                raise tarfile.TarError("its end is missing")
    except (OSError, tarfile.TarError) as error:
        raise DataError(
            f"{file}: cannot be read as a tar file ({error}); it must be whole and not compressed."
        ) from error
    return [each for each in found if not each[0].rpartition("/")[2].startswith(".")]


def ending_of(name: str) -> str:
    """What follows the first dot of the last part of a name.

    >>> ending_of("00.tar/a/b.jpg"), ending_of("00.tar/b.seg.png")
    ('jpg', 'seg.png')
    """
    return _split(name)[1]


def _split(name: str) -> tuple[str, str]:
    """Sample and ending."""
    folder, slash, last = name.rpartition("/")
    before, _, ending = last.partition(".")
    return folder + slash + before, ending
