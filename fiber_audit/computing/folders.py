"""Folders of a process: whoever makes one removes those that killed processes left."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import zlib
from pathlib import Path

from ..files import lives


def own_folder(prefix: str, parent: str | None = None) -> Path:
    """A new folder of this process, in the folder for temporary files or in another."""
    machine = f"{zlib.crc32(platform.node().encode()):08x}"  # several may share the parent
    where = Path(parent or tempfile.gettempdir())
    for path in where.glob(f"{prefix}-{machine}-*"):
        found = re.match(r"(\d+)-", path.name.removeprefix(f"{prefix}-{machine}-"))
        if found and not lives(int(found[1])):
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}-{machine}-{os.getpid()}-", dir=where))
