"""Does a dataset keep its contract? Up to SOME of its items are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..contracts import Dataset
from .first_block import queries_problems
from .randomness import watched
from .violation import FAULTS, Checks, Violation, told, violations

SOME = 16
DRAWN = 3
"""Rows of reference data that are asked for."""


@dataclass(frozen=True)
class DatasetTrial:
    """A dataset and some of its items: the first, the last, and others between them."""

    dataset: Dataset
    indices: tuple[int, ...]

    @cached_property
    def rows(self) -> Tensor:
        """The items, loaded once."""
        return self.load(self.indices)

    def load(self, indices: Sequence[int]) -> Tensor:
        """The items of some indices."""
        return self.dataset.load(list(indices))


def check_dataset(dataset: Dataset) -> list[Violation]:
    """What is wrong with a dataset; an empty list where nothing is."""
    try:
        count = len(dataset)
        indices = [round(i) for i in torch.linspace(0, count - 1, min(count, SOME)).tolist()]
        subject = DatasetTrial(dataset, tuple(indices))
        _ = subject.rows
    except FAULTS as error:  # whatever it is, the rest cannot be tried
        message = f"len() and load() of some of its items raised {told(error)}."
        return [Violation("call", message)]
    if not count:
        message = "it has no items; raise DataError where there is nothing to load."
        return [Violation("ids", message)]
    return violations(CHECKS, subject)


def _ids(s: DatasetTrial) -> str | None:
    ids, count = list(s.dataset.ids), len(s.dataset)
    other = next((name for name in ids if not isinstance(name, str) or not name), None)
    if other is not None:
        return f"id {other!r} is no text; give every item a distinct text that is not empty."
    if not count == len(ids) == len(set(ids)):
        return (
            f"{count} items have {len(ids)} ids, {len(set(ids))} of them distinct; "
            f"give every item an id of its own."
        )
    return None


def _rows(s: DatasetTrial) -> str | None:
    ids = [list(s.dataset.ids)[i] for i in s.indices]
    return queries_problems(s.rows, ids, s.indices[0], s.dataset.data_shape)


def _any_order(s: DatasetTrial) -> str | None:
    places = list(range(len(s.indices)))
    for chosen in (places[::-1], places[1::2] + places[::2], places[-1:], [0, 0]):
        found = s.load([s.indices[place] for place in chosen])
        if not torch.equal(found, s.rows[chosen]):
            return (
                f"load({[s.indices[place] for place in chosen]}) gives other rows than the same "
                f"items in order; row i is item indices[i], whatever else is asked for."
            )
    return None


def _stable(s: DatasetTrial) -> str | None:
    ids = list(s.dataset.ids)
    with watched() as used:
        again = s.load(s.indices)
    if not torch.equal(again, s.rows) or list(s.dataset.ids) != ids:
        return "two calls give other items; return the same ones under the same ids."
    if used:
        return (
            f"load() draws or seeds the global random numbers of {', '.join(used)}; seed a "
            f"generator of your own."
        )
    return None


def _labels(s: DatasetTrial) -> str | None:
    labels = s.dataset.labels
    if labels is None:
        return None
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        kind = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        return f"labels are {kind}; give an int64 tensor of one label per item, or None."
    if tuple(labels.shape) != (len(s.dataset),):
        return f"labels are {tuple(labels.shape)} for {len(s.dataset)} items; give one per item."
    return None


def _stamp(s: DatasetTrial) -> str | None:
    for index in (s.indices[0], s.indices[-1]):
        first, second = s.dataset.stamp(index), s.dataset.stamp(index)
        if not isinstance(first, str):
            return f"stamp({index}) is a {type(first).__name__}; return a text."
        if first != second:
            return f"stamp({index}) differs at every call; leave the time of the call out."
    return None


def _reference(s: DatasetTrial) -> str | None:
    drawn = [s.dataset.reference(DRAWN, _generator(seed)) for seed in (0, 0, 1)]
    first, again, other = drawn
    if first is None or again is None or other is None:
        return None if drawn == [None] * 3 else "reference() is None at some calls only."
    wanted = (DRAWN, *s.dataset.data_shape)
    if tuple(first.shape) != wanted:
        return f"reference({DRAWN}) is {tuple(first.shape)}, not {wanted}."
    if not torch.equal(first, again):
        return "reference() with the same generator differs; draw from the generator it is given."
    if torch.equal(first, other):
        return "reference() with another generator is the same; draw from the one it is given."
    wrong = queries_problems(first, [str(i) for i in range(DRAWN)], 0, s.dataset.data_shape)
    return f"in reference(), as if it were loaded: {wrong}" if wrong else None


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


CHECKS: Checks[DatasetTrial] = {
    "ids": _ids,
    "rows": _rows,
    "any-order": _any_order,
    "stable": _stable,
    "labels": _labels,
    "stamp": _stamp,
    "reference": _reference,
}
