"""What was observed of an audit: written piece by piece, read back as arrays of all its rows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ..contracts import Part
from ..files import reserve
from ..measuring.scene import Scene
from ..sampling import rms
from .plan import HOST, PICTURES, Audit, Piece, Plan
from .rows import DrawnRows
from .shown import SHOWN
from .store import Arrays, Store

LOOKED, FEATURES = "looked", "features"
Place = tuple[str, Part, str]
"""(owner, part, name) of an array."""
LARGE = 32e6
"""Bytes of an array above which it is read into a file and mapped."""
MANY: tuple[Part, ...] = ("draws", "unguided")
"""Parts with a row per draw; of the others there is one per query."""


def key_of(owner: str, part: Part, name: str) -> str:
    """The name of an array in a file of observed/."""
    return f"{owner}|{part}|{name}"


def host_arrays(scene: Scene, piece: Piece, draws: DrawnRows) -> Arrays:
    """What the host itself observes: losses, costs, what was lost, and the first pictures."""
    arrays = _measured(scene, draws) if piece.host else {}
    if piece.pictures and piece.queries[0] < SHOWN:
        shown: dict[Part, Any] = {
            "draws": draws.data,
            "unguided": scene.unguided,
            "queries": scene.queries,
        }
        arrays |= {key_of(PICTURES, part, "data"): _small(x.cpu()) for part, x in shown.items()}
    return arrays


@torch.no_grad()
def _measured(scene: Scene, draws: DrawnRows) -> Arrays:
    block = scene.block("draws")
    assert block is not None
    scene.eyes = frozenset({""})
    loss = rms(block.features().double() - block.targets.double()).cpu()
    finite = draws.finite & loss.isfinite()  # a draw without features is lost, too
    found: dict[tuple[Part, str], Any] = {
        ("draws", "finite"): finite,
        ("draws", "fiber_loss"): torch.where(finite, loss, 0.0),
        ("unguided", "finite"): scene.unguided_finite,
        ("queries", "targets"): scene.targets.cpu(),
        **{("draws", f"cost.{name}"): x for name, x in draws.cost.items()},
        **{("draws", f"diagnostic.{name}"): x for name, x in draws.diagnostics.items()},
    }
    return {key_of(HOST, part, name): x.numpy() for (part, name), x in found.items()}


def _small(data: torch.Tensor) -> NDArray[Any]:
    """Images in 8 bits; tables as they are."""
    return ((data * 255).round().to(torch.uint8) if data.ndim == 4 else data).numpy()


@dataclass(frozen=True)
class Observed:
    """Arrays of all rows of one audit, query-major; those of pictures are of the first queries.

    faulty: owner -> why its arrays are none, for they were not given alike for every block.
    """

    arrays: Mapping[tuple[str, Part, str], NDArray[Any]]
    faulty: Mapping[str, str] = field(default_factory=dict)

    def of(self, owner: str) -> dict[tuple[Part, str], NDArray[Any]]:
        """(part, name) -> array, of one owner."""
        return {
            (part, name): x
            for (who, part, name), x in self.arrays.items()
            if who == owner and name != LOOKED
        }


def collect(store: Store, plan: Plan, audit: Audit, scratch: Path) -> Observed:
    """Read all that was observed of an audit; large arrays are mapped from files in scratch.

    Rows of which something is missing hold zeros: ask `missing` again, for a damaged file is gone
    after this.
    """
    reading = _Reading(plan, audit, scratch)
    seen = plan.seen(audit)
    for path in store.files("observed", audit, seen):
        read = store.arrays(path)
        if read is not None and "query" in read and str(read.get("of")) == seen:
            reading.add(read)
    return reading.whole()


class _Reading:
    """Arrays of all rows, filled file by file."""

    def __init__(self, plan: Plan, audit: Audit, scratch: Path) -> None:
        self.rows, self.k, self.scratch = plan.places, plan.per_query, scratch
        self.wanted = {look.owner for look in plan.looks[audit]} | {HOST, PICTURES}
        self.arrays: dict[Place, NDArray[Any]] = {}
        self.known: dict[Place, NDArray[np.bool_]] = {}
        self.faulty: dict[str, str] = {}

    def add(self, read: Arrays) -> None:
        """What one file holds of rows that are wanted."""
        ids = enumerate(map(str, read["query"]))
        here = [(i, self.rows[row]) for i, row in ids if row in self.rows]
        if not here:
            return
        source, target = (np.array(side) for side in zip(*here, strict=True))
        for key, array in read.items():
            owner, _, rest = key.partition("|")
            if owner not in self.wanted:
                continue
            part, _, name = rest.partition("|")
            self._fill((owner, cast(Part, part), name), array, source, target)

    def _fill(
        self, place: Place, array: NDArray[Any], source: NDArray[Any], target: NDArray[Any]
    ) -> None:
        owner, part, name = place
        count = self.k if part in MANY else 1
        queries = min(len(self.rows), SHOWN) if owner == PICTURES else len(self.rows)
        if place not in self.arrays:
            shape = (queries * count, *array.shape[1:])
            self.arrays[place] = _empty(shape, array.dtype, self.scratch)
            self.known[place] = np.zeros(queries, dtype=bool)
        into = self.arrays[place]
        if (into.shape[1:], into.dtype) != (array.shape[1:], array.dtype):
            self.faulty[owner] = (
                f"{name!r} of part {part!r} is {array.dtype} {array.shape[1:]} in one block and "
                f"{into.dtype} {into.shape[1:]} in another; observe() must return them alike"
            )
            return
        inside = target < queries
        into[_spread(target[inside], count)] = array[_spread(source[inside], count)]
        self.known[place][target[inside]] = True

    def whole(self) -> Observed:
        """The arrays that every row has; the owners of others are faulty."""
        for (owner, part, name), known in self.known.items():
            if not known.all() and owner not in (HOST, PICTURES):
                self.faulty.setdefault(owner, (
                    f"{name!r} of part {part!r} was observed of {int(known.sum())} of {len(known)} "
                    f"queries; observe() must return the same names for every block"
                ))  # fmt: skip
        kept = {place: _mapped(x) for place, x in self.arrays.items() if self.known[place].all()}
        return Observed(kept, self.faulty)


def _spread(queries: NDArray[Any], k: int) -> NDArray[Any]:
    """Indices of queries -> of their k rows each."""
    return (queries[:, None] * k + np.arange(k)).ravel()


def _empty(shape: tuple[int, ...], dtype: np.dtype[Any], scratch: Path) -> NDArray[Any]:
    if int(np.prod(shape)) * dtype.itemsize <= LARGE:
        return np.zeros(shape, dtype)
    name = scratch / f"{secrets.token_hex(8)}.npy"
    mapped = np.lib.format.open_memmap(name, mode="w+", dtype=dtype, shape=shape)
    reserve(name)
    return mapped


def _mapped(array: NDArray[Any]) -> NDArray[Any]:
    """A large array read back from its file: what is written to it stays in memory, row by row."""
    if not isinstance(array, np.memmap) or array.filename is None:
        return array
    array.flush()
    return np.load(array.filename, mmap_mode="c")
