"""Which items are queries, in which order, and which are kept from a prior's training.

Everything hangs on a hash of an item's own name: a new file moves no other one, and more queries
are the same ones and more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from fiber_audit import DataError
from fiber_audit.contracts import Count
from fiber_audit.sampling import derive_seed

All = Count | Literal["all"]
Part = Literal["all", "held-out", "rest"]
ONE_OF = 5
"""One item of so many is held out."""


def shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Names in the order that a seed gives them.

    >>> shuffled(["a", "b", "c"], 0), shuffled(["a", "b", "c", "new"], 0)
    (['a', 'b', 'c'], ['a', 'new', 'b', 'c'])
    """
    return sorted(names, key=lambda name: (derive_seed(seed, name), name))


def part_of(
    names: Iterable[str], part: Part, group: Callable[[str], str] = lambda name: name
) -> list[str]:
    """Those of a part: "held-out" is about a fifth of them, "rest" the others.

    group: name -> what must not be torn apart, say the patient.
    """
    if part == "all":
        return list(names)
    out = part == "held-out"
    return [n for n in names if (derive_seed("held out", group(n)) % ONE_OF == 0) == out]


def first(names: Sequence[str], n: int | Literal["all"], what: str) -> list[str]:
    """The first n names.

    Raises:
        DataError: there are none, or fewer. `what` ends the sentence: "in photos/".
    """
    if not names:
        raise DataError(f"queries: there is nothing to load {what}.")
    if n == "all":
        return list(names)
    if n > len(names):
        raise DataError(f"queries.n = {n}: there are {len(names)} {what}; ask for fewer.")
    return list(names[:n])
