"""Files that a path means: one, those of a folder, or those that a pattern matches."""

from __future__ import annotations

from glob import has_magic
from itertools import takewhile
from pathlib import Path

from fiber_audit import DataError

from .paths import path_of


def shards(path: str, *extensions: str) -> dict[str, Path]:
    """Short name -> file, sorted: of one file, or of all with an extension below a folder.

    path: may hold *, ? and **. Names are relative to the last folder that is written out.

    Raises:
        DataError: there are none.
    """
    root = path_of(path)
    if root.is_dir():
        found = [file for file in root.rglob("*") if file.name.lower().endswith(extensions)]
    elif root.is_file():
        found, root = [root], root.parent
    else:
        fixed = [*takewhile(lambda part: not has_magic(part), root.parts)]
        pattern = root.parts[len(fixed) :]
        root = Path(*fixed)
        found = [*root.glob("/".join(pattern))] if pattern else []
    found = sorted(file for file in found if file.is_file() and not file.name.startswith("."))
    if not found:
        hint = "; write * where it has braces" if "{" in path else ""
        raise DataError(f"queries.path = {path!r}: no {' or '.join(extensions)} file there{hint}.")
    return {file.relative_to(root).as_posix(): file for file in found}
