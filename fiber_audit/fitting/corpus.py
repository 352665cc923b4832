"""The training data as one tensor: decoded once, as 8 bits where that loses nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from ..contracts import Dataset
from ..errors import DataError, DiskError
from ..noise import derive_seed

CHUNK = 512
ON_DEVICE = 4 * 2**30
"""Bytes of training data that are kept where the network is; more stay in a file beside the fit."""
EVERY = 10.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True)
class Corpus:
    """items: (n, *shape) uint8 (of 255) or float32. training, held_out: rows, in random order.

    spilled: they are in a file, for want of room on the device.
    """

    items: Tensor
    training: Tensor
    held_out: Tensor
    spilled: bool = False

    def take(self, rows: Tensor) -> Tensor:
        """Some items in data space, (len(rows), *shape) float32, where the items are."""
        found = self.items[rows.to(self.items.device)]
        return found.float().div_(255) if found.dtype == torch.uint8 else found

    def chunks(self, rows: Tensor, size: int = CHUNK) -> Iterator[Tensor]:
        """The same, some at a time."""
        for part in rows.split(size):
            yield self.take(part)


def gathered(
    data: Dataset, held_out: float, seed: int, device: str, spill: Path, say: Callable[[str], None]
) -> Corpus:
    """Load all of a dataset, once, and set a fraction of it aside.

    spill: the file that holds what is too large for the device.

    Raises:
        DataError: nothing is left to train on, or an item is not finite.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "held out"))
    order = torch.randperm(len(data), generator=generator)
    aside = round(held_out * len(data))
    if len(data) - aside < 2:
        raise DataError(
            f"{len(data)} training items with held_out = {held_out}: at least 2 must be left to "
            f"train on; give more items or hold out less."
        )
    items = _filled(data, torch.uint8, spill, say)
    if items is None:
        items = _filled(data, torch.float32, spill, say)
        assert items is not None
    spilled = items.nbytes > ON_DEVICE
    return Corpus(items if spilled else items.to(device), order[aside:], order[:aside], spilled)


def _filled(
    data: Dataset, kind: torch.dtype, spill: Path, say: Callable[[str], None]
) -> Tensor | None:
    """All items in one type, or None where 8 bits do not hold them."""
    shape = (len(data), *data.data_shape)
    items, told = _empty(shape, kind, spill), time.monotonic()
    for first in range(0, len(data), CHUNK):
        rows = range(first, min(first + CHUNK, len(data)))
        found = data.load(rows)
        if not found.isfinite().all():
            raise DataError(f"{data.ids[first]} or one of the next {CHUNK}: not finite; mend it.")
        if kind == torch.uint8:
            rounded = (found * 255).round().clamp(0, 255)
            if not torch.allclose(rounded / 255, found, rtol=0, atol=1e-6):
                return None
            found = rounded
        items[rows.start : rows.stop] = found.to(kind)
        if time.monotonic() - told > EVERY:
            told = time.monotonic()
            say(f"loaded {rows.stop} of {len(data)} items")
    return items


def _empty(shape: tuple[int, ...], kind: torch.dtype, spill: Path) -> Tensor:
    size = prod(shape)
    if size * kind.itemsize <= ON_DEVICE:
        return torch.empty(shape, dtype=kind)
    spill.parent.mkdir(parents=True, exist_ok=True)
    needed, free = size * kind.itemsize, shutil.disk_usage(spill.parent).free
    if spill.exists():  # of a fit that was killed: its room is used again
        free += getattr(spill.stat(), "st_blocks", 0) * 512
    if needed > free:  # a mapped file that runs out of disk would end the process
        raise DiskError(
            f"{spill}: the data need {needed / 2**30:.1f} GB; {free / 2**30:.1f} GB are free; "
            f"make room, or train on fewer or smaller items."
        )
    return torch.from_file(str(spill), shared=True, size=size, dtype=kind).reshape(shape)


def encoded(
    corpus: Corpus, encode: Callable[[Tensor], Tensor], shape: tuple[int, ...], flip: bool,
    device: str, spill: Path,
) -> Corpus:  # fmt: skip
    """A corpus of states (2 n with flip: the mirrored ones after the others), computed once."""
    n = len(corpus.items)
    states = _empty((n * (1 + flip), *shape), torch.float32, spill)
    with torch.no_grad():
        for rows in torch.arange(n).split(64):
            x = corpus.take(rows).to(device)
            states[rows] = encode(x).to(states)
            if flip:
                states[rows + n] = encode(x.flip(-1)).to(states)
    spilled = states.nbytes > ON_DEVICE
    rows = torch.cat([corpus.training, *([corpus.training + n] if flip else [])])
    return Corpus(states if spilled else states.to(device), rows, corpus.held_out, spilled)
