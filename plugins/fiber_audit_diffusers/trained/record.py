"""`training.json`: what a fit was made of, how far it came, and whether it is finished."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fiber_audit import DiskError, UsageError, WeightsError

from .recipe import Recipe, differences

FILE = "training.json"
FORMAT = 1


@dataclass(frozen=True)
class Record:
    """options: that make another prior. seed: of all randomness. step: how many are taken.

    data: `digest`, `items` and `shape` of the training data, and `autoencoder`, the digest of the
    one whose latents are modelled. finished: the folder holds the whole fit. facts: all else that a
    reader should know: versions, device, seconds, loss, quality.
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
        steps = self.options["steps"]
        state = "finished" if self.finished else f"step {self.step} of {steps}"
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


def finished(recipe: Recipe) -> Record:
    """The record of a finished fit with these options.

    Raises:
        WeightsError: nothing is fitted there, or something else, or it is not finished.
    """
    found = read(recipe.folder)
    if found is None:
        raise WeightsError(f"{recipe.path}: nothing is fitted there; run: fiber-audit fit SUITE")
    other = differences(found.options, recipe.identity)
    if other:
        raise WeightsError(
            f"{recipe.path}: was fitted with other options ({'; '.join(other)}); set them so, or "
            f"give another path and run: fiber-audit fit SUITE"
        )
    if not found.finished:
        raise WeightsError(
            f"{recipe.path}: the fit is at step {found.step} of {found.options['steps']}; to go "
            f"on, run: fiber-audit fit SUITE"
        )
    return found


def begun(recipe: Recipe, data: Mapping[str, Any], seed: int) -> Record:
    """The record to go on from: a new one, or that of the same fit.

    Raises:
        UsageError: the folder holds a fit with other options, to other data, with another
            seed or in the latents of another autoencoder.
    """
    found = read(recipe.folder)
    if found is None:
        return Record(recipe.identity, data, seed)
    other = differences(found.options, recipe.identity)
    if found.data["digest"] != data["digest"]:
        other.append(f"data of {found.data['items']} items, not those of now ({data['items']})")
    if found.data.get("autoencoder") != data.get("autoencoder"):
        other.append(f"another content of {recipe.autoencoder!r}, the autoencoder")
    if found.seed != seed:
        other.append(f"seed {found.seed}, not {seed}")
    if other:
        raise UsageError(
            f"{recipe.path}: holds a fit of its own ({'; '.join(other)}); give another path, or "
            f"delete the folder to begin anew."
        )
    return found
