"""The pictures of a folder: found quickly, opened by their relative paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from fiber_audit import DataError

from .paths import path_of, stamp_of

EXTENSIONS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff",
    ".pgm", ".ppm", ".pbm", ".pnm", ".jp2", ".avif", ".tga",
)  # fmt: skip
"""Of pictures, in small letters."""


@dataclass(frozen=True)
class Folder:
    """A source of pictures: a name is a path relative to the root, with / between its parts."""

    root: Path

    @classmethod
    def at(cls, path: str) -> Folder:
        """The folder of that path; ~ is the home folder.

        Raises:
            DataError: there is none.
        """
        root = path_of(path)
        if not (path and root.is_dir()):
            raise DataError(f"queries.path = {path!r}: no such folder.")
        return cls(root)

    def pictures(self, glob: str = "*") -> tuple[list[str], list[str]]:
        """Names of the pictures that a pattern matches, sorted; and links to folders, not entered.

        A picture is what its extension, in large or small letters, says is one. Hidden files and
        folders are left out. Links to files are read. `*` matches / as well.

        Raises:
            DataError: a folder cannot be read.
        """
        pattern, found, links = glob.lower(), list[str](), list[str]()
        try:
            for folder, folders, files in os.walk(self.root, onerror=_raised):
                at = Path(folder).relative_to(self.root).as_posix().removeprefix(".")
                before = at and f"{at}/"
                folders[:] = [name for name in folders if not name.startswith(".")]
                links += [before + f for f in folders if Path(folder, f).is_symlink()]
                found += [
                    before + name
                    for name in files
                    if name.lower().endswith(EXTENSIONS) and name[0] != "."
                ]
        except OSError as error:
            raise DataError(f"{error.filename}: cannot be read ({error.strerror}).") from error
        # "**/*.png" is meant to find what is in no folder, too
        matched = [n for n in found if any(fnmatchcase(p + n.lower(), pattern) for p in ("", "/"))]
        return sorted(matched), sorted(links)

    def open(self, name: str) -> IO[bytes]:
        """One file."""
        return (self.root / name).open("rb")

    def stamp(self, name: str) -> str:
        """Path, size and time of change."""
        return stamp_of(self.root / name)

    def place(self, name: str) -> str:
        """Its path."""
        return str(self.root / name)


def _raised(error: OSError) -> None:
    raise error
