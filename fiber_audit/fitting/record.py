"""`training.json`: what a fit was made of, how far it came, and whether it is finished."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DiskError, UsageError, WeightsError

FILE = "training.json"
FORMAT = 1


@dataclass(frozen=True)
class Record:
    """options: that make another outcome. seed: of all randomness. step: how many are taken.

    data: `digest`, `items` and `shape` of the training data, and digests of all else that it is
    fitted to. finished: the folder holds the whole fit. facts: all else that a reader should know:
    versions, device, seconds, loss, quality.
    """

    options: Mapping[str, Any]
    data: Mapping[str, Any]
    seed: int
    step: int = 0
    finished: bool = False
    facts: Mapping[str, Any] | None = None

    @property
    def data_shape(self) -> tuple[int, ...]:
        """The shape of an item."""
        return tuple(self.data["shape"])

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            DiskError: the folder cannot be written.
        """
        state = "finished" if self.finished else f"step {self.step}"
        content = {"format": FORMAT, "state": state, **vars(self), "facts": dict(self.facts or {})}
        write_file(folder / FILE, json.dumps(content, indent=2) + "\n")


def write_file(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader sees the old one or the new one, whole.

    Raises:
        DiskError: it cannot be written.
    """
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        partial.replace(path)
    except OSError as error:
        raise DiskError(f"{path}: cannot be written ({error}).") from error


def read(folder: Path) -> Record | None:
    """The record of a folder, or None where nothing was begun.

    Raises:
        WeightsError: the file is not such a record.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']}, not {FORMAT}")
        names = ("options", "data", "seed", "step", "finished", "facts")
        return Record(**{name: found[name] for name in names})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path}: not the record of a fit ({error}); delete the folder, and run: "
            f"fiber-audit fit SUITE"
        ) from error


def finished(folder: Path, options: Mapping[str, Any], steps: int) -> Record:
    """The record of a finished fit with these options; steps is how many it was to take.

    Raises:
        WeightsError: nothing is fitted there, or something else, or it is not finished.
    """
    found = read(folder)
    if found is None:
        raise WeightsError(f"{folder}: nothing is fitted there; run: fiber-audit fit SUITE")
    other = differences(found.options, options)
    if other:
        raise WeightsError(
            f"{folder}: was fitted with other options ({'; '.join(other)}); set them so, or "
            f"give another path and run: fiber-audit fit SUITE"
        )
    if not found.finished:
        raise WeightsError(
            f"{folder}: the fit is at step {found.step} of {steps}; to go on, run: "
            f"fiber-audit fit SUITE"
        )
    return found


def begun(folder: Path, options: Mapping[str, Any], data: Mapping[str, Any], seed: int) -> Record:
    """The record to go on from: a new one, or that of the same fit.

    data: see `Record`; a name of a digest is what a reader is told of it.

    Raises:
        UsageError: the folder holds a fit with other options, to other data, with another seed, or
            beside something else of other content.
    """
    found = read(folder)
    if found is None:
        return Record(options, data, seed)
    other = differences(found.options, options)
    if found.data["digest"] != data["digest"]:
        other.append(f"data of {found.data['items']} items, not those of now ({data['items']})")
    told = {"digest", "items", "shape"}
    names = [name for name in {**found.data, **data} if name not in told]
    other += [f"another {n}" for n in names if found.data.get(n) != data.get(n)]
    if found.seed != seed:
        other.append(f"seed {found.seed}, not {seed}")
    if other:
        raise UsageError(
            f"{folder}: holds a fit of its own ({'; '.join(other)}); give another path, or "
            f"delete the folder to begin anew."
        )
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two sets of options, in words.

    >>> differences({"width": 64, "steps": 10}, {"width": 32, "steps": 10})
    ['width 64, not 32']
    """
    names = [*now, *(name for name in before if name not in now)]
    return [
        f"{name} {before.get(name)}, not {now.get(name)}"
        for name in names
        if before.get(name) != now.get(name)
    ]
