"""Edits of a whole set: each says which of n rows stand in the places 0 to n - 1.

    mode_drop    a share of the classes is replaced by rows of the others
    duplicates   a share of the rows is replaced by copies of the rest

A strength in [0, 1] is that share; at 0 nothing changes. No pixel does, so that features of the
set, once computed, are features of the edited set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiber_audit import UsageError

from .choices import EditName

Rows = NDArray[np.intp]
Edit = Callable[[int, NDArray[Any] | None, float, np.random.Generator], Rows]
"""(n, labels or None, strength, rng) -> (n,) row numbers."""


def mode_drop(
    n: int, labels: NDArray[Any] | None, strength: float, rng: np.random.Generator
) -> Rows:
    """Replace the rows of a random share of the classes by random rows of the others.

    At least one class is left.
    """
    if labels is None:
        raise UsageError("mode_drop: the queries have no labels; leave this edit out.")
    classes = np.unique(labels)
    count = min(round(strength * len(classes)), len(classes) - 1)
    dropped = rng.permutation(classes)[:count]
    return _replaced(np.isin(labels, dropped), rng)


def duplicates(
    n: int, labels: NDArray[Any] | None, strength: float, rng: np.random.Generator
) -> Rows:
    """Replace a random share of the rows by copies of the rest; at least one row is left.

    >>> duplicates(4, None, 0.5, np.random.default_rng(0))
    array([1, 1, 1, 3])
    """
    gone = np.zeros(n, dtype=bool)
    gone[rng.permutation(n)[: min(round(strength * n), n - 1)]] = True
    return _replaced(gone, rng)


def _replaced(gone: NDArray[np.bool_], rng: np.random.Generator) -> Rows:
    """Let random ones of the others stand in for some rows (a mask)."""
    rows = np.arange(len(gone))
    rows[gone] = rng.choice(rows[~gone], int(gone.sum()))
    return rows


SET_EDITS: dict[EditName, Edit] = {"mode_drop": mode_drop, "duplicates": duplicates}
