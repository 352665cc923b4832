"""Pictures at full size in a folder beside the page, where the page itself shows them smaller."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np

from ..files import write_atomically
from .images import SHARP, webp

SUFFIX = "-pictures"
"""report.html has report-pictures/ beside it."""


class Beside:
    """The folder of one page."""

    def __init__(self, page: Path) -> None:
        self.folder = page.with_name(page.stem + SUFFIX)
        self.kept: set[str] = set()

    def keep(self, name: str, image: np.ndarray) -> str:
        """Write an image (c, h, w) that is larger than a thumbnail; its address, else "".

        The file's name is a digest, for names of audits and queries may hold anything.
        """
        if max(image.shape[1:]) <= SHARP:
            return ""
        file = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16] + ".webp"
        write_atomically(self.folder / file, webp(image))
        self.kept.add(file)
        return f"{self.folder.name}/{file}"

    def sweep(self) -> None:
        """Remove what an earlier page left."""
        with suppress(OSError):
            for path in self.folder.glob(f"{'[0-9a-f]' * 16}.webp"):
                if path.name not in self.kept:
                    path.unlink()
            if not self.kept:
                self.folder.rmdir()
