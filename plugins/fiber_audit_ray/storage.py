"""A copy of the run directory under a URL, for workers that see no file of this process."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fiber_audit import DiskError, UsageError
from fiber_audit.computing import attempt_apart, own_folder
from fiber_audit.records import write_atomically

from .directory import Directory

SUITE = "suite.toml"
MADE = ("units", "observed")
"""Folders of a run directory that work writes to."""
BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci"})
"""Where there are no folders, and making one would make the bucket of a name that is mistyped."""


def directory_of(work: Any, storage: str) -> Directory:
    """The run directory of a run's work, shared or, with a storage, copied; other work has none."""
    run: Path | None = getattr(work, "run", None)
    if run is None or not (run / SUITE).is_file():
        return Directory()
    if not storage:
        return Directory(run)
    return Storage(run, url=url_of(storage), name=run.resolve().name)


def url_of(storage: str) -> str:
    """A URL as it is, a path as an absolute one, which workers elsewhere understand, too.

    Raises:
        UsageError: it is neither, say a URL with one slash, which would be the name of a folder.
    """
    if "://" in storage.lstrip(":/"):
        return storage
    if re.match(r":|\w{2,}:", storage):
        raise UsageError(
            f"executor.storage = {storage!r}: give a URL, e.g. s3://bucket/prefix, or a path."
        )
    return str(Path(storage).expanduser().absolute())


@dataclass
class Storage(Directory):
    """What a piece reads is copied to the place, what it made from there; `merge` reads the copy.

    url: of the storage, for fsspec. name: of the run's folder in it. suite: what its suite.toml
    holds, by which a worker knows the place. there: files that are in it, as this process knows.
    """

    url: str = ""
    name: str = ""
    suite: bytes = b""
    there: set[str] = field(default_factory=set)

    @property
    def place(self) -> str:
        """The run's folder, as a message may name it."""
        return _discreet(f"{self.url.removesuffix('/')}/{self.name}")

    def open(self) -> None:
        """Make the folders, and put a suite.toml by which workers know the place.

        Raises:
            UsageError: the URL is none, its library is not installed, or it cannot be written.
        """
        assert self.run is not None
        self.suite = (self.run / SUITE).read_bytes()
        try:
            files, root = self._files()
            for folder in () if self._in_a_bucket else MADE:
                files.makedirs(f"{root}/{folder}", exist_ok=True)
            files.pipe_file(f"{root}/{SUITE}", self.suite)
        except Exception as error:  # as the library of the URL has it
            raise UsageError(
                f"executor.storage: {self.place} cannot be written ({_reason(error)})."
            ) from error

    def send(self, piece: Any) -> None:
        """Copy what a piece reads, but for what is there.

        Raises:
            DiskError: it cannot be written.
        """
        assert self.run is not None
        files, root = self._files()
        for name in piece.reads:
            if name not in self.there and (self.run / name).is_file():
                with _told(self.place, "written"):
                    files.put_file(str(self.run / name), f"{root}/{name}")
                self.there.add(name)

    def receive(self, made: Sequence[str]) -> None:
        """Copy what a worker made.

        Raises:
            DiskError: it cannot be read, or the run directory cannot be written.
        """
        assert self.run is not None
        files, root = self._files()
        for name in made:
            with _told(self.place, "read"):
                content = files.cat_file(f"{root}/{name}")
            write_atomically(self.run / name, content)
            self.there.add(name)

    def unseen(self) -> str:
        """Why this worker does not see the copy."""
        try:
            files, root = self._files()
            if files.cat_file(f"{root}/{SUITE}") == self.suite:
                return ""
            reason = "it is that of another run"
        except Exception as error:  # as the library of the URL has it
            reason = _reason(error)
        return (
            f"executor.storage: a worker on {platform.node()} does not see {self.place}/{SUITE} "
            f"({reason}); name a place that all nodes see, and give them what it asks for."
        )

    def compute(self, work: Any, piece: Any) -> tuple[Any, tuple[str, ...]]:
        """The same in a folder of the piece's own: fetch, compute, and leave in the copy."""
        files, root = self._files()
        folder = own_folder("fiber-audit-piece")
        try:
            with _told(self.place, "read"):
                for name in piece.reads:
                    (folder / name).parent.mkdir(exist_ok=True)
                    with suppress(FileNotFoundError):  # then it is drawn again
                        files.get_file(f"{root}/{name}", str(folder / name))
            before = _found(folder)
            result = attempt_apart(work.at(folder), piece)
            made = tuple(n for n, state in _found(folder).items() if before.get(n) != state)
            with _told(self.place, "written"):
                for name in made:
                    files.put_file(str(folder / name), f"{root}/{name}")
            return result, made
        except DiskError as error:
            return error, ()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def _in_a_bucket(self) -> bool:
        return bool(BUCKETS & {*re.findall(r"(\w+)://", self.url)})

    def _files(self) -> tuple[Any, str]:
        """(a file system of fsspec, the run's folder in it)."""
        import fsspec

        if "://" in self.url:
            files, root = fsspec.url_to_fs(self.url)
        else:  # a path, in which :: means nothing
            files, root = fsspec.filesystem("file"), self.url
        if self._in_a_bucket and not root.strip("/"):
            raise ValueError("it names no bucket")
        return files, f"{root.rstrip('/')}/{self.name}"


def _found(folder: Path) -> dict[str, tuple[int, int]]:
    """Name -> (size, time of change) of every file that is whole."""
    return {
        f"{kind}/{path.name}": (path.stat().st_size, path.stat().st_mtime_ns)
        for kind in MADE
        for path in sorted((folder / kind).glob("[!.]*"))
    }


@contextmanager
def _told(place: str, what: str) -> Iterator[None]:
    """What the library of a URL raises, in one sentence."""
    try:
        yield
    except Exception as error:
        raise DiskError(
            f"executor.storage: {place} cannot be {what} ({_reason(error)})."
        ) from error


def _reason(error: Exception) -> str:
    told = _discreet(" ".join(str(error).split()).rstrip("."))
    return told[:300] or type(error).__name__


def _discreet(told: str) -> str:
    """The same without the name and the password that a URL may hold."""
    return re.sub(r"://[^/\s:@]*:[^/\s]*@", "://***@", told)
