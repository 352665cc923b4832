"""A bill of materials: every distribution of which something is imported, and its version.

importlib.metadata.packages_distributions tells the same, but parses every list of files: a second.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, distributions

TOP = re.compile(r"^([A-Za-z_]\w*)(?:/|\.py,|\.[\w.-]*so,|\.pyd,)", re.MULTILINE)
"""What is at the top of a list of installed files."""


def imported() -> dict[str, str]:
    """Name -> version, in alphabetical order, of what this process has imported by now."""
    modules = {name.partition(".")[0] for name in sys.modules}
    found = {
        each.metadata["Name"]: each.version
        for each in distributions()
        if not modules.isdisjoint(_tops(each))
    }
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _tops(each: Distribution) -> set[str]:
    """Modules and packages that a distribution installs."""
    declared = each.read_text("top_level.txt")
    if declared is not None:
        return set(declared.split())
    return set(TOP.findall(each.read_text("RECORD") or ""))
