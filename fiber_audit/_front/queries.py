"""What a user has for queries, as a Dataset: rows of this process, or an excerpt of another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from .._draw.inputs import loaded
from .._suite.identity import digest
from ..contracts import Dataset
from ..errors import DataError, UsageError
from .content import content

LOOKED_AT = 16
"""Items of a data set that are digested, where not all of them are in memory."""


class GivenRows(Dataset):
    """Queries of this process: a tensor or array (n, ...), or a torch data set of such rows.

    Raises:
        DataError: it has no rows, or the first is no tensor.
    """

    def __init__(self, given: Any, labels: Any = None, n: int | None = None) -> None:
        total = _length(given)
        kept = _count(n, total)
        self.given = _tensor(given) if isinstance(given, np.ndarray) else given
        self.ids = tuple(f"query-{i}" for i in range(kept))
        self.data_shape = tuple(self._item(0).shape)
        if labels is not None:
            self.labels = _labels(labels, total, kept)
        elif (own := getattr(given, "targets", None)) is not None:
            try:
                self.labels = _labels(own, total, kept)
            except DataError:  # boxes or captions, which are no classes
                self.labels = None

    def load(self, indices: Sequence[int]) -> Tensor:
        """The rows themselves."""
        rows = [self._item(i) for i in indices]
        for i, row in zip(indices, rows, strict=True):
            if tuple(row.shape) != self.data_shape:
                raise DataError(
                    f"query {i} is {tuple(row.shape)}, but the first is {self.data_shape}; resize "
                    f"them to one shape."
                )
        return torch.stack(rows) if rows else torch.empty(0, *self.data_shape)

    def digest(self) -> str:
        """Of all bytes in memory and all labels; of a data set's files, some items only."""
        kept = len(self)
        if isinstance(self.given, Tensor):
            return digest(content(self.given[:kept]), content(self.labels))
        if isinstance(self.given, (list, tuple)):
            return digest(content(list(self.given[:kept])), content(self.labels))
        if isinstance(self.given, TensorDataset):
            return digest(*(content(each[:kept]) for each in self.given.tensors))
        return digest(content(type(self.given)), _sample(self), content(self.labels))

    def _item(self, index: int) -> Tensor:
        try:
            item = self.given[index]
        except Exception as error:  # the user's own code
            raise DataError(
                f"query {index} cannot be loaded ({type(error).__name__}: {error}); give a tensor "
                f"(n, ...) or a torch Dataset with __getitem__ and __len__."
            ) from error
        item = item[0] if isinstance(item, (tuple, list)) and item else item
        if not isinstance(item, Tensor):
            raise DataError(
                f"query {index} is a {type(item).__name__}; give tensors of one shape, images as "
                f"float32 in [0, 1] (torchvision's ToTensor makes them)."
            )
        return item.detach().cpu()


class Excerpt(Dataset):
    """The first n items of a dataset, with other labels where some are given.

    Raises:
        DataError: it has fewer items, or another number of labels.
    """

    def __init__(self, whole: Dataset, labels: Any = None, n: int | None = None) -> None:
        total = _length(whole)
        kept = _count(n, total)
        self.whole = whole
        self.ids = tuple(whole.ids[:kept])
        self.data_shape = tuple(whole.data_shape)
        own = whole.labels
        self.labels = own if own is None else own[:kept]
        if labels is not None:
            self.labels = _labels(labels, total, kept)

    def load(self, indices: Sequence[int]) -> Tensor:
        """Items of the whole."""
        return self.whole.load(indices)

    def stamp(self, index: int) -> str:
        """The whole's."""
        return self.whole.stamp(index)

    def reference(self, n: int, generator: torch.Generator) -> Tensor | None:
        """The whole's, whose distribution is sampled."""
        return self.whole.reference(n, generator)

    def digest(self) -> str:
        """Of the whole's class and attributes, of some items, and of all labels."""
        return digest(content(self.whole), _sample(self), content(self.labels))


def dataset_of(given: object, labels: object, n: int | None) -> GivenRows | Excerpt:
    """A tensor, an array, a torch data set or a Dataset -> a Dataset that knows its digest.

    Raises:
        UsageError: it holds no queries, or `labels` or `n` do not fit it.
    """
    if isinstance(given, Dataset):
        return Excerpt(given, labels, n)
    if isinstance(given, (Tensor, np.ndarray)) or hasattr(given, "__getitem__"):
        return GivenRows(given, labels, n)
    raise UsageError(
        f"queries: a {type(given).__name__} holds no queries; give a tensor (n, ...), a torch "
        f"Dataset or the name of a dataset."
    )


def _length(given: Any) -> int:
    try:
        total = len(given)
    except Exception as error:  # no len, a tensor without dimensions, or the user's own code
        raise DataError(
            f"queries: a {type(given).__name__} without a length ({error}); give a tensor (n, ...) "
            f"or a torch Dataset with __getitem__ and __len__."
        ) from error
    if not total:
        raise DataError("queries: there are none; give at least one row.")
    return total


def _tensor(given: Any) -> Tensor:
    try:
        return torch.as_tensor(given)
    except (TypeError, ValueError) as error:
        raise DataError(f"queries: {given.dtype} is no number ({error}); give float32.") from error


def _count(n: int | None, total: int) -> int:
    if n is None:
        return total
    if not isinstance(n, int) or isinstance(n, bool) or not 0 < n <= total:
        raise DataError(f"n = {n!r}: there are {total} queries; ask for 1 to {total}.")
    return n


def _labels(given: Any, total: int, kept: int) -> Tensor:
    """One label for each query, (kept,) int64, of labels for all or for those that are kept."""
    try:
        found = torch.as_tensor(given).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"labels: no integers ({error}); give one class number each.") from error
    if found.ndim != 1 or len(found) not in (total, kept):
        wanted = f"{total}" if total == kept else f"{total} or {kept}"
        raise DataError(f"labels: {tuple(found.shape)} for {wanted} queries; give one for each.")
    if found.is_complex() or (
        found.is_floating_point() and not bool((found == found.round()).all())
    ):
        raise DataError(f"labels: {found.dtype} with fractions; give one class number each.")
    return found[:kept].long()


def _sample(dataset: Dataset) -> str:
    """Digest of ids, and of some items from the first to the last."""
    count = len(dataset)
    rows = sorted({i * (count - 1) // (LOOKED_AT - 1) for i in range(LOOKED_AT)})
    return digest(content(tuple(dataset.ids)), *(content(loaded(dataset, [i])) for i in rows))
