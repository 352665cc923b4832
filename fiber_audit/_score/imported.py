"""A bill of materials: every distribution of which something is imported, and its version.

importlib.metadata.packages_distributions tells the same, but parses every list of files: a second.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from functools import cache, lru_cache
from importlib.metadata import Distribution, distributions
from pathlib import Path

TOP = re.compile(r"^([A-Za-z_]\w*)(?:/|\.py,|\.[\w.-]*so,|\.pyd,)", re.MULTILINE)
"""What is at the top of a list of installed files."""


def imported() -> dict[str, str]:
    """Name -> version, in alphabetical order, of what this process has imported by now."""
    modules = {name.partition(".")[0] for name in sys.modules}
    found = (d for d, tops in _installed(_places()) if not modules.isdisjoint(tops))
    return dict(sorted(map(_named, found), key=lambda item: item[0].lower()))


def _places() -> tuple[tuple[str, int], ...]:
    """Where distributions are, and when something was last installed there."""
    found = []
    for entry in sys.path:
        with suppress(OSError, ValueError):
            found.append((entry, Path(entry).stat().st_mtime_ns))
    return tuple(found)


@lru_cache(maxsize=1)
def _installed(places: tuple[tuple[str, int], ...]) -> list[tuple[Distribution, frozenset[str]]]:
    """Every distribution, with the modules and packages at its top."""
    return [(each, _tops(each)) for each in distributions()]


@cache
def _named(each: Distribution) -> tuple[str, str]:
    return each.metadata["Name"], each.version


def _tops(each: Distribution) -> frozenset[str]:
    declared = each.read_text("top_level.txt")
    if declared is not None:
        return frozenset(declared.split())
    return frozenset(TOP.findall(each.read_text("RECORD") or ""))
