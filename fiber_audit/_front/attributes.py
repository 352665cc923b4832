"""What a user calls attributes, as tables of a suite: names, tables, functions, Attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ..check.attribute import check_attribute
from ..contracts import Attribute
from ..errors import UsageError
from .content import content
from .here import Here
from .parts import table_of
from .wrapped import copied

OF_IMAGES = ("mean-colour", "contrast", "high-frequency", "position", "mirror-side")
COLUMNS = 32
"""A table of more columns has no attributes unless it is told which."""


class Reads(Attribute):
    """A function as an attribute: of integers it is a class, of floats a number."""

    def __init__(self, function: Callable[[Tensor], Tensor], x: Tensor) -> None:
        self.function = function
        found = function(x)
        if isinstance(found, Tensor) and not found.is_floating_point():
            self.kind = "class"

    def read(self, x: Tensor) -> Tensor:
        """Data space (n, ...) -> (n,) or (n, m)."""
        found = self.function(x)
        return found.long() if self.kind == "class" else found


def usual(data_shape: tuple[int, ...]) -> dict[str, dict[str, Any]]:
    """The attributes that any image, or any table of few columns, has.

    >>> usual((2,))
    {'column 0': {'use': 'column', 'index': 0}, 'column 1': {'use': 'column', 'index': 1}}
    """
    if len(data_shape) == 3:
        return {name: {"use": name} for name in OF_IMAGES}
    if len(data_shape) == 1 and data_shape[0] <= COLUMNS:
        return {f"column {i}": {"use": "column", "index": i} for i in range(data_shape[0])}
    return {}


def attributes_of(here: Here, given: Mapping[str, object], x: Tensor) -> dict[str, dict[str, Any]]:
    """By the user's keys. x: a few queries, on which each that is handed over is tried.

    Raises:
        UsageError: one is no attribute, or does not keep the contract.
    """
    found = {}
    for name, each in given.items():
        if isinstance(each, str | Mapping):
            found[str(name)] = table_of(f"attributes.{name}", each)
        else:
            made = _made(str(name), each, x)
            use = here.offer("attribute", str(name), made, content(made))
            found[str(name)] = {"use": use}
    return found


def _made(name: str, given: object, x: Tensor) -> Attribute:
    try:
        if isinstance(given, Attribute):
            made: Attribute = copied(given)
        elif callable(given):
            made = Reads(given, x)
        else:
            raise UsageError(
                f"attributes.{name}: a {type(given).__name__} is none; give a function of inputs, "
                f"a fiber_audit.contracts.Attribute, a name or a table."
            )
    except UsageError:
        raise
    except (Exception, SystemExit) as error:  # the user's own code; its reason is all there is
        raise UsageError(
            f"attributes.{name}: cannot read queries of shape {tuple(x.shape[1:])} "
            f"({type(error).__name__}: {error})."
        ) from error
    if wrong := check_attribute(made, x):
        raise UsageError("\n".join(f"attributes.{name}: {each}" for each in wrong))
    return made
