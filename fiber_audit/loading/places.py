"""Where a path of a suite leads: into the user's files, or into an installed package."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from ..errors import UsageError


def placed(path: str) -> Path:
    """A path as a user writes it, ~ for the home folder, or "package:path" in an installed one.

    >>> placed("fits/flow").parts, placed("fiber_audit:suites").is_dir()
    (('fits', 'flow'), True)

    Raises:
        UsageError: what stands before the colon is the program that runs, and no package.
    """
    package, _, inside = path.partition(":")
    if inside and package.isidentifier():
        if package == "__main__":  # which may have no spec
            raise UsageError(f"path = {path!r}: {package} is no installed package; name one.")
        found = find_spec(package)
        for place in (found and found.submodule_search_locations) or ():
            return Path(place) / inside
    with suppress(RuntimeError):  # nobody's home: then it is a name like any other
        return Path(path).expanduser()
    return Path(path)
