"""The run directory: atomic files, so that a run can stop at any moment and go on later.

suite.toml  identity.json  environment.json  log.jsonl      what was asked, by what, what failed
units/      one file per block of draws                     arrays have one row per draw
observed/   one file per block, of what metrics saw of it   arrays have rows for some queries
gallery/  exhibits.json                                     what the page shows
records.csv  records.parquet  verdicts.json  report.html    the result
"""

from __future__ import annotations

import errno
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zipfile import ZipFile

import numpy as np

from .._suite.identity import digest
from ..errors import DataError, DiskError
from ..files import append, sweep, write_atomically
from .plan import Drawn, Piece, Unit
from .sealed import unsealed

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]
Kind = Literal["units", "observed"]
HELD = {"of", "query", "draw"}
"""Arrays that say which draws a block of units/ holds."""
HEX = "[0-9a-f]"
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Store:
    """One run directory.

    reading: nothing is removed or logged, though it may be damaged.
    """

    path: Path
    reading: bool = False
    _indexed: dict[tuple[Path, tuple[str, ...]], tuple[Stamp, Arrays, list[str]]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def open(self) -> None:
        """Make the folders, and sweep them.

        Raises:
            DiskError: the directory cannot be made or written.
        """
        with self._usable():
            for folder in (self.path, self.path / "units", self.path / "observed"):
                folder.mkdir(parents=True, exist_ok=True)
        self.sweep()

    def sweep(self) -> None:
        """Remove what killed processes left half written.

        Raises:
            DiskError: the directory cannot be read.
        """
        with self._usable():
            for folder in (self.path, *filter(Path.is_dir, self.path.iterdir())):
                sweep(folder)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DiskError(
                f"--out {self.path}: cannot be a run directory "
                f"({(error.strerror or str(error)).lower()}); give another folder."
            ) from error

    def save(self, kind: Kind, piece: Piece, units: Sequence[Unit], arrays: Arrays) -> Path:
        """Write one finished block: of these units, or of what was observed of them."""
        of = piece.of if kind == "units" else piece.seen
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, of=np.array(of), **arrays)
        with ZipFile(buffer, "a") as archive:
            archive.comment = _seal(archive)
        name = f"{slug(piece.drawn)}-{of[:8]}-{piece.digest_of(units)[:16]}.npz"
        return write_atomically(self.path / kind / name, buffer.getvalue())

    def files(self, kind: Kind, drawn: Drawn, of: str = "") -> list[Path]:
        """The files of an audit, in a fixed order, of one digest if it is given, by their names."""
        mark, block = of[:8] or HEX * 8, HEX * 16
        return sorted((self.path / kind).glob(f"{slug(drawn)}-{mark}-{block}.npz"))

    def index(
        self, kind: Kind, drawn: Drawn, of: str, wanted: tuple[str, ...]
    ) -> Iterator[tuple[Path, Arrays, list[str]]]:
        """(file, some of its arrays, the names of all) of every whole file of that digest.

        Damaged ones are removed. What is read is remembered until the file changes.

        Raises:
            DiskError: a file cannot be read now, though it may be whole.
        """
        for path in self.files(kind, drawn, of):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            known = self._indexed.get((path, wanted))
            if known is None or known[0] != stamp:
                found = self._read(path, ("of", *wanted))
                if found is None:
                    continue
                known = self._indexed[path, wanted] = (stamp, *found)
            _, arrays, names = known
            if str(arrays["of"]) == of:
                yield path, arrays, names

    def arrays(self, path: Path, names: Iterable[str] | None = None) -> Arrays | None:
        """Arrays of one file, all or the named ones; None if it is damaged, and then it is gone.

        A zip checks every array it gives against a checksum, so a flipped bit is found here, and
        so is an array that another program has changed.

        Raises:
            DiskError: it cannot be read now, though it may be whole.
        """
        found = self._read(path, names)
        return None if found is None else found[0]

    def _read(self, path: Path, wanted: Iterable[str] | None) -> tuple[Arrays, list[str]] | None:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                if archive.zip.comment != _seal(archive.zip):
                    raise ValueError("not written by this program")
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

    def load(
        self, names: Sequence[str], of: str, units: Sequence[Unit]
    ) -> dict[Unit, tuple[Arrays, int]]:
        """Unit -> (arrays, row), for those of `units` that some files of units/ hold."""
        wanted, found = set(units), dict[Unit, tuple[Arrays, int]]()
        for name in names:
            if f"-{of[:8]}-" not in name:
                continue
            arrays = self.arrays(self.path / "units" / name) or {}
            if set(arrays) >= HELD and str(arrays["of"]) == of:
                held = enumerate(units_in(arrays))
                found |= {unit: (arrays, row) for row, unit in held if unit in wanted}
        return found

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file of the run directory."""
        return write_atomically(self.path / name, content)

    def log(self, event: str, facts: Mapping[str, Any]) -> None:
        """Append one line to log.jsonl."""
        line = {"time": now(), "event": event, **facts}
        append(self.path / "log.jsonl", json.dumps(line, allow_nan=False))

    def facts(self, name: str) -> dict[str, Any]:
        """A JSON table of the run directory, {} where there is none.

        Raises:
            DataError: it is damaged.
        """
        path = self.path / name
        return unsealed(path, "JSON") if path.exists() else {}

    def kept(self, name: str) -> dict[str, Any]:
        """The same of a table that can be made again: {} if it is damaged, and then it is gone."""
        try:
            return self.facts(name)
        except DataError as error:
            self.discard(self.path / name, str(error).partition(";")[0])
            return {}


def existing(path: Path) -> Store:
    """The store of a run; DataError if path is not a run directory."""
    if not (path / "suite.toml").is_file():
        raise DataError(
            f"{path}: not a run directory (it has no suite.toml); give what run printed."
        )
    return Store(path)


def _seal(archive: ZipFile) -> bytes:
    """A digest of the checksums of all arrays."""
    return digest(*(f"{each.filename} {each.CRC}" for each in archive.infolist())).encode()


def units_in(arrays: Arrays) -> list[Unit]:
    """The units of a block, row by row."""
    return list(zip(map(str, arrays["query"]), map(int, arrays["draw"]), strict=True))


def now() -> str:
    """The time in UTC, ISO 8601, seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def slug(drawn: Drawn) -> str:
    """An audit's name as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._]+", "_", drawn.name)[:100]
