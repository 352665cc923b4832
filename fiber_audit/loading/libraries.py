"""Libraries that an extra installs: imported when they are needed, missed in one sentence."""

from __future__ import annotations

import importlib
from types import ModuleType

from ..errors import WeightsError


def library(name: str, extra: str) -> ModuleType:
    """Import a library that an extra of fiber-audit installs.

    Raises:
        WeightsError: it is not installed; the sentence says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != name.partition(".")[0]:
            raise  # it is there, but what it needs itself is not
        raise WeightsError(
            f'{name} is not installed; run: pip install "fiber-audit[{extra}]"'
        ) from error


def versions(*distributions: str) -> str:
    """Names and versions of installed distributions, for the facts of a component.

    >>> versions("no-such-thing")
    ''
    """
    from importlib import metadata

    found: list[str] = []
    for name in distributions:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
