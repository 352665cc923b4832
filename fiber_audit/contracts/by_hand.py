"""Options that Python hands to a class are held against the types that a suite's are."""

from __future__ import annotations

import json
from typing import Any

from ..errors import UsageError


def held(option: str, given: object, kind: Any) -> None:
    """Refuse what is not of an option's type; a list stands for a tuple, as it does in a suite.

    The host holds a suite's values against the signature of a class before it makes one. A class
    that is also made by hand, and would fail in words of Python's own, asks this first.

    Args:
        option: its name.
        given: its value.
        kind: its annotation.

    Raises:
        UsageError: names the option, the value and what was wanted.

    >>> held("mean", [0.5, 0.5, 0.5], tuple[float, ...])
    >>> held("mean", 0.5, tuple[float, ...])
    Traceback (most recent call last):
    fiber_audit.errors.UsageError: mean = 0.5: Input should be a valid array.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        TypeAdapter(kind).validate_json(json.dumps(given, default=repr), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        at = "".join(f"[{part}]" for part in first["loc"] if isinstance(part, int))
        raise UsageError(
            f"{option} = {given!r}: {first['msg']}{f' (at {at})' if at else ''}."
        ) from None
