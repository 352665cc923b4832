"""What was observed of an audit: written piece by piece, read back as arrays of all its rows."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ..contracts import Part
from ..measuring.scene import Scene
from ..sampling import rms
from .plan import Audit, Piece, Plan
from .rows import DrawnRows
from .store import Arrays, Store

HOST, PICTURES, LOOKED, FEATURES = "host", "pictures", "looked", "features"
SHOWN = 16
"""Queries of an audit that the page shows."""
LARGE = 32e6
"""Bytes of an array above which it is read into a file and mapped."""
MANY: tuple[Part, ...] = ("draws", "unguided")
"""Parts with a row per draw; of the others there is one per query."""


def key_of(owner: str, part: Part, name: str) -> str:
    """The name of an array in a file of observed/."""
    return f"{owner}|{part}|{name}"


@torch.no_grad()
def host_arrays(scene: Scene, piece: Piece, draws: DrawnRows) -> Arrays:
    """What the host itself observes: losses, costs, what was lost, and the first pictures."""
    block = scene.block("draws")
    assert block is not None
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
    arrays = {key_of(HOST, part, name): x.numpy() for (part, name), x in found.items()}
    if piece.queries[0] < SHOWN:
        shown: dict[Part, Any] = {
            "draws": draws.data,
            "unguided": scene.unguided,
            "queries": scene.queries,
        }
        arrays |= {key_of(PICTURES, part, "data"): _small(x.cpu()) for part, x in shown.items()}
    return arrays


def _small(data: torch.Tensor) -> NDArray[Any]:
    """Images in 8 bits; tables as they are."""
    return ((data * 255).round().to(torch.uint8) if data.ndim == 4 else data).numpy()


@dataclass(frozen=True)
class Observed:
    """Arrays of all rows of one audit, query-major; those of pictures are of the first queries."""

    arrays: Mapping[tuple[str, Part, str], NDArray[Any]]

    def of(self, owner: str) -> dict[tuple[Part, str], NDArray[Any]]:
        """(part, name) -> array, of one owner."""
        return {
            (part, name): x
            for (who, part, name), x in self.arrays.items()
            if who == owner and name != LOOKED
        }


def missing(
    store: Store,
    plan: Plan,
    audit: Audit,
    chunks: Sequence[tuple[int, ...]],
    blind: Collection[str] = (),
) -> list[tuple[int, ...]]:
    """The queries of each chunk of which something that is to be observed is not there.

    blind: owners of looks that were tried in vain, and are not missed.
    """
    wanted = ({look.owner for look in plan.looks[audit]} | {HOST}) - set(blind)
    rows, seen = plan.rows(audit), dict[int, set[str]]()
    for _, ids, names in store.index("observed", audit, "query"):
        owners = {name.split("|")[0] for name in names}
        for row in ids:
            if row in rows:
                seen.setdefault(rows[row], set()).update(owners)
    lacking = [tuple(q for q in chunk if not wanted <= seen.get(q, set())) for chunk in chunks]
    return [queries for queries in lacking if queries]


def collect(store: Store, plan: Plan, audit: Audit, scratch: Path) -> Observed:
    """Read all that was observed of an audit; large arrays are mapped from files in scratch.

    Rows of which something is missing hold zeros: ask `missing` again, for a damaged file is gone
    after this.
    """
    wanted = {look.owner for look in plan.looks[audit]} | {HOST, PICTURES}
    rows, k = plan.rows(audit), plan.per_query
    found: dict[tuple[str, Part, str], NDArray[Any]] = {}
    for path in store.files("observed", audit):
        read = store.arrays(path)
        if read is None or "query" not in read:
            continue
        here = [(i, rows[r]) for i, r in enumerate(map(str, read["query"])) if r in rows]
        if not here:
            continue
        source, target = (np.array(side) for side in zip(*here, strict=True))
        for key, array in read.items():
            owner, _, rest = key.partition("|")
            if owner not in wanted:
                continue
            named, _, name = rest.partition("|")
            part = cast(Part, named)
            count = k if part in MANY else 1
            total = (min(len(rows), SHOWN) if owner == PICTURES else len(rows)) * count
            place = (owner, part, name)
            if place not in found:
                found[place] = _empty((total, *array.shape[1:]), array.dtype, scratch)
            inside = target < total // count
            into, out_of = _spread(target[inside], count), _spread(source[inside], count)
            found[place][into] = array[out_of]
    return Observed(found)


def _spread(queries: NDArray[Any], k: int) -> NDArray[Any]:
    """Indices of queries -> of their k rows each."""
    return (queries[:, None] * k + np.arange(k)).ravel()


def _empty(shape: tuple[int, ...], dtype: np.dtype[Any], scratch: Path) -> NDArray[Any]:
    if int(np.prod(shape)) * dtype.itemsize <= LARGE:
        return np.zeros(shape, dtype)
    handle, name = tempfile.mkstemp(dir=scratch, suffix=".npy")
    with open(handle, "rb"):  # noqa: PTH123 (closes the handle)
        return np.lib.format.open_memmap(name, mode="w+", dtype=dtype, shape=shape)
