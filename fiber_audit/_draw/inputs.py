"""The queries of a run: names and content, looked at once and checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor

from .._suite.guest import guest
from ..check.first_block import queries_problems
from ..contracts import Dataset
from ..errors import DataError, FiberAuditError, PluginError
from .sealed import sealed
from .store import Store

CACHE = "items.json"
AT_ONCE = 64


@dataclass(frozen=True)
class Inputs:
    """ids and items: name and content digest of every query.

    spread: standard deviation of a table's columns, (columns,) float64; None for images.
    stamped: stamp -> digest, of items that say without decoding whether they changed.
    """

    ids: tuple[str, ...]
    items: tuple[str, ...]
    spread: Tensor | None
    stamped: dict[str, str]

    def save(self, store: Store) -> None:
        """Remember the digests of stamped items."""
        if self.stamped:
            store.write(CACHE, sealed(self.stamped))


def read_inputs(dataset: Dataset, made: str, store: Store) -> Inputs:
    """Look at every query, a few at a time; those whose stamp is known are not loaded.

    made: the identity of the dataset, for another one may give other content to the same stamps.

    Raises:
        PluginError: the dataset does not name each query once.
        DataError: there are none, or one is not in data space.
    """
    ids = tuple(map(str, dataset.ids))
    if len(set(ids)) != len(ids) or len(ids) != len(dataset):
        raise PluginError(
            f"queries: {len(dataset)} queries have {len(set(ids))} distinct ids; a dataset must "
            f"name each query once."
        )
    if not ids:
        raise DataError("queries: the dataset is empty; give it at least one input.")
    table = len(dataset.data_shape) == 1
    known = {} if table else {str(k): str(v) for k, v in store.kept(CACHE).items()}
    stamps = [
        stamp and f"{made} {_label(dataset, i)} {ids[i]} {stamp}"
        for i, stamp in enumerate(map(dataset.stamp, range(len(ids))))
    ]
    digests = {i: known[stamp] for i, stamp in enumerate(stamps) if stamp in known}
    moments = _Moments()
    for first, x in _loaded(dataset, [i for i in range(len(ids)) if i not in digests]):
        wrong = queries_problems(x, [ids[i] for i in first], first[0], tuple(dataset.data_shape))
        if wrong:
            raise DataError(wrong)
        digests |= {i: content_of(row, dataset, i) for i, row in zip(first, x, strict=True)}
        if table:
            moments.add(x)
    items = tuple(digests[i] for i in range(len(ids)))
    stamped = {stamp: items[i] for i, stamp in enumerate(stamps) if stamp}
    return Inputs(ids, items, moments.spread() if table else None, stamped)


def _loaded(dataset: Dataset, indices: Sequence[int]) -> Iterator[tuple[list[int], Tensor]]:
    for some in _runs(indices):
        x = loaded(dataset, some)
        if len(x) != len(some):
            raise PluginError(
                f"queries: the dataset loaded {len(x)} inputs where {len(some)} were asked for."
            )
        yield some, x


def _runs(indices: Sequence[int]) -> Iterator[list[int]]:
    """Indices without a gap, a few at a time."""
    run: list[int] = []
    for index in indices:
        if run and (index != run[-1] + 1 or len(run) == AT_ONCE):
            yield run
            run = []
        run.append(index)
    if run:
        yield run


def loaded(dataset: Dataset, indices: Sequence[int]) -> Tensor:
    """Some items of a dataset, whose own exceptions become one of ours."""
    try:
        with guest():
            return dataset.load(indices)
    except FiberAuditError:
        raise
    except (Exception, SystemExit) as error:  # plugins may raise anything
        where = f"queries {dataset.ids[indices[0]]!r} to {dataset.ids[indices[-1]]!r}"
        raise PluginError(f"{where} cannot be loaded ({type(error).__name__}: {error}).") from error


def content_of(row: Tensor, dataset: Dataset, index: int) -> str:
    """Digest of one query and its label."""
    found = blake2b(row.contiguous().cpu().numpy().data, digest_size=16)
    found.update(_label(dataset, index).encode())
    return found.hexdigest()


def _label(dataset: Dataset, index: int) -> str:
    return "" if dataset.labels is None else f"label {dataset.labels[index].item()}"


class _Moments:
    """Sums of rows about the first one, float64."""

    def __init__(self) -> None:
        self.n = 0
        self.origin = self.sum = self.squares = torch.zeros(0, dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        """Some rows (n, columns)."""
        rows = x.double()
        if not self.n:
            self.origin, self.sum, self.squares = rows[0], 0 * rows[0], 0 * rows[0]
        centred = rows - self.origin
        self.n += len(rows)
        self.sum = self.sum + centred.sum(0)
        self.squares = self.squares + centred.square().sum(0)

    def spread(self) -> Tensor:
        """Standard deviation of all rows, (columns,)."""
        mean = self.sum / self.n
        return (self.squares / self.n - mean.square()).clamp(min=0).sqrt()
