"""The run directory: atomic files, so that a run can stop at any moment and go on later.

    suite.toml  units/  records.csv  records.parquet  report.html  environment.json  log.jsonl

A file of units/ holds one block of draws: every array has one row per unit.
"""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from .errors import DataError
from .plan import Audit, Block, Unit

if TYPE_CHECKING:
    from .contracts import Draws
    from .meter import Cost

Arrays = dict[str, np.ndarray]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old one or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class Store:
    """One run directory."""

    path: Path

    @property
    def units(self) -> Path:
        """The folder of finished blocks."""
        return self.path / "units"

    def save(self, block: Block, draws: Draws, cost: Cost) -> Path:
        """Write one finished block."""
        n = len(block.units)
        arrays: Arrays = {
            "id": np.array([unit.id for unit in block.units]),
            "data": draws.data.cpu().numpy(),
            "finite": draws.finite.cpu().numpy(),
            "path": draws.path.cpu().numpy(),
            **{f"cost.{k}": np.full(n, v / n) for k, v in cost.as_dict().items()},
            **{f"diagnostic.{k}": v.cpu().numpy() for k, v in draws.diagnostics.items()},
        }
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        path = self.units / f"{_slug(block.audit)}-{block.id[:16]}.npz"
        write_atomically(path, buffer.getvalue())
        return path

    def finished(self, audit: Audit) -> set[str]:
        """Ids of the units of an audit that are on disk; broken files do not count."""
        return {str(i) for arrays in self._files(audit, ("id",)) for i in arrays["id"]}

    def load(self, audit: Audit, wanted: Iterable[Unit]) -> Arrays | None:
        """The rows of `wanted`, in that order, or None if any is missing."""
        ids = [unit.id for unit in wanted]
        rows: dict[str, tuple[Arrays, int]] = {}
        for arrays in self._files(audit):
            rows |= {str(name): (arrays, i) for i, name in enumerate(arrays["id"])}
        if any(name not in rows for name in ids):
            return None
        keys = set.intersection(*[set(rows[name][0]) for name in ids])
        return {k: np.stack([rows[n][0][k][rows[n][1]] for n in ids]) for k in sorted(keys)}

    def _files(self, audit: Audit, only: tuple[str, ...] | None = None) -> Iterable[Arrays]:
        for path in sorted(self.units.glob(f"{_slug(audit)}-????????????????.npz")):
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                    yield {key: archive[key] for key in only or archive.files}
            except (OSError, ValueError, KeyError, EOFError, BadZipFile):
                continue  # not ours, or damaged: its units are computed again

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file of the run directory."""
        path = self.path / name
        write_atomically(path, content.encode() if isinstance(content, str) else content)
        return path

    def log(self, event: str, facts: Mapping[str, Any]) -> None:
        """Append one line to log.jsonl."""
        line = {"time": now(), "event": event, **facts}
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")

    def environment(self) -> dict[str, Any]:
        """environment.json, or {} in a new directory."""
        path = self.path / "environment.json"
        try:
            found = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}: not valid JSON ({error}); delete it and run again."
            ) from error
        return dict(found)


def existing(path: Path) -> Store:
    """The store of a finished run; DataError if path is not a run directory."""
    if not (path / "suite.toml").is_file():
        raise DataError(
            f"{path}: not a run directory (it has no suite.toml); give what run printed."
        )
    return Store(path)


def now() -> str:
    """The time in UTC, ISO 8601, seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _slug(audit: Audit) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "_", audit.name)
