"""Labels of any kind as integers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from fiber_audit import DataError

SHOWN = 12


def coded(values: Sequence[str], classes: Sequence[str]) -> Tensor:
    """The place of each value among the classes, (n,) int64.

    >>> coded(["dog", "cat", "dog"], ["cat", "dog"])
    tensor([1, 0, 1])
    """
    places = {name: i for i, name in enumerate(classes)}
    return torch.tensor([places[value] for value in values], dtype=torch.int64)


def numbered(
    values: Sequence[Any], every: Iterable[Any], option: str
) -> tuple[Tensor, tuple[str, ...]]:
    """Whole numbers as they are, or texts as places among all that there are; and what these are.

    every: the values of all items, so that n changes no number. option: where the values are from.

    Raises:
        DataError: one is neither.

    >>> numbered(["b"], ["b", "a"], "kind"), numbered([2.0, True], [], "kind")
    ((tensor([1]), ('a', 'b')), (tensor([2, 1]), ()))
    """
    if values and all(isinstance(v, str) for v in values):
        classes = tuple(sorted({v for v in every if isinstance(v, str)}))
        return coded(values, classes), classes
    for value in values:
        if not isinstance(value, int | float) or not float(value).is_integer():
            raise DataError(
                f"queries.label = {option!r}: {value!r} is no label; every item needs one, and all "
                f"are whole numbers or all are texts."
            )
    return torch.tensor([int(v) for v in values], dtype=torch.int64), ()


def legend(classes: Sequence[str]) -> str:
    """What the numbers mean, for the facts of a dataset.

    >>> legend(["cat", "dog"]), legend([])
    ('0 cat, 1 dog', 'whole numbers')
    """
    if not classes:
        return "whole numbers"
    told = ", ".join(f"{i} {name}" for i, name in enumerate(classes[:SHOWN]))
    more = len(classes) - SHOWN
    return f"{told} and {more} more" if more > 0 else told
