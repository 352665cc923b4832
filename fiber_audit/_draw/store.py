"""The run directory: atomic files, so that a run can stop at any moment and go on later.

suite.toml  identity.json  environment.json  log.jsonl      what was asked, by what, what failed
units/      one file per block of draws                     every array has one row per draw
observed/   one file per block, of what metrics saw of it   every array has rows for some queries
gallery/  exhibits.json                                     what the page shows
records.csv  records.parquet  verdicts.json  report.html    the result
"""

from __future__ import annotations

import errno
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import DataError, DiskError
from ..files import read_text, sweep, write_atomically
from .plan import Drawn, Piece

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]
Kind = Literal["units", "observed"]


@dataclass(frozen=True)
class Store:
    """One run directory.

    reading: nothing is removed or logged, though it may be damaged.
    """

    path: Path
    reading: bool = False

    def open(self) -> None:
        """Make the folders, and sweep what killed processes left half written.

        Raises:
            DiskError: the directory cannot be made or written.
        """
        try:
            for folder in (self.path, self.path / "units", self.path / "observed"):
                folder.mkdir(parents=True, exist_ok=True)
                sweep(folder)
        except OSError as error:
            raise DiskError(
                f"--out {self.path}: cannot be a run directory "
                f"({(error.strerror or str(error)).lower()}); give another folder."
            ) from error

    def save(self, kind: Kind, piece: Piece, arrays: Arrays) -> Path:
        """Write one finished block."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        return write_atomically(self.path / kind / self.name_of(piece), buffer.getvalue())

    @staticmethod
    def name_of(piece: Piece) -> str:
        """The file of a finished block."""
        return f"{slug(piece.drawn)}-{piece.id[:16]}.npz"

    @staticmethod
    def of(drawn: Drawn, names: Iterable[str]) -> list[str]:
        """Those files that may belong to an audit, by their names."""
        return [name for name in names if name.rpartition("-")[0] == slug(drawn)]

    def files(self, kind: Kind, drawn: Drawn) -> list[Path]:
        """The files of an audit, in a fixed order; some may belong to another of a like name."""
        return sorted((self.path / kind).glob(f"{slug(drawn)}-{'[0-9a-f]' * 16}.npz"))

    def index(
        self, kind: Kind, drawn: Drawn, key: str
    ) -> Iterator[tuple[Path, list[str], list[str]]]:
        """(file, its row ids, its array names) of every whole file; damaged ones are removed.

        Raises:
            DiskError: a file cannot be read now, though it may be whole.
        """
        for path in self.files(kind, drawn):
            found = self._read(path, (key,))
            if found is not None:
                arrays, names = found
                yield path, [str(i) for i in arrays[key]], names

    def arrays(self, path: Path, names: Iterable[str] | None = None) -> Arrays | None:
        """Arrays of one file, all or the named ones; None if it is damaged, and then it is gone.

        A zip checks every array it gives against a checksum, so a flipped bit is found here.

        Raises:
            DiskError: it cannot be read now, though it may be whole.
        """
        found = self._read(path, names)
        return None if found is None else found[0]

    def _read(self, path: Path, wanted: Iterable[str] | None) -> tuple[Arrays, list[str]] | None:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                names = list(archive.files)
                return {name: archive[name] for name in wanted or names}, names
        except FileNotFoundError:
            return None
        except MemoryError:
            raise
        except Exception as error:  # what is damaged may raise anything
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise DiskError(
                    f"{path}: cannot be read ({(error.strerror or str(error)).lower()}); "
                    f"nothing is removed, so mend that and run again."
                ) from error
            self.discard(path, f"{type(error).__name__}: {error}")
            return None

    def discard(self, path: Path, why: str) -> None:
        """Remove a damaged file and say so: its draws are computed again."""
        if self.reading:
            return
        message = f"{path.name} is damaged and is computed again ({why})"
        self.log("damaged", {"file": path.name, "message": message})
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise DiskError(f"{path}: damaged, and cannot be removed ({error}).") from error

    def load(self, names: Sequence[str], units: Sequence[str]) -> dict[str, tuple[Arrays, int]]:
        """Unit id -> (arrays, row), for those of `units` that some files of units/ hold."""
        wanted, found = set(units), dict[str, tuple[Arrays, int]]()
        for name in names:
            arrays = self.arrays(self.path / "units" / name)
            if arrays is not None and "id" in arrays:
                ids = [str(i) for i in arrays["id"]]
                found |= {i: (arrays, row) for row, i in enumerate(ids) if i in wanted}
        return found

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file of the run directory."""
        return write_atomically(self.path / name, content)

    def log(self, event: str, facts: Mapping[str, Any]) -> None:
        """Append one line to log.jsonl."""
        line = {"time": now(), "event": event, **facts}
        try:
            with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, allow_nan=False) + "\n")
        except OSError as error:
            raise DiskError(f"{self.path / 'log.jsonl'}: cannot be written ({error}).") from error

    def facts(self, name: str) -> dict[str, Any]:
        """A JSON table of the run directory, {} where there is none.

        Raises:
            DataError: it is damaged.
        """
        path = self.path / name
        if not path.exists():
            return {}
        try:
            found = json.loads(read_text(path, "JSON"))
            if not isinstance(found, dict):
                raise ValueError("no table")
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: damaged ({error}); delete it and run again.") from error
        return found


def existing(path: Path) -> Store:
    """The store of a run; DataError if path is not a run directory."""
    if not (path / "suite.toml").is_file():
        raise DataError(
            f"{path}: not a run directory (it has no suite.toml); give what run printed."
        )
    return Store(path)


def now() -> str:
    """The time in UTC, ISO 8601, seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def slug(drawn: Drawn) -> str:
    """An audit's name as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._]+", "_", drawn.name)[:100]
