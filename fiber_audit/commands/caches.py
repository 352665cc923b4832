"""The folders where libraries keep what they fetched, and their sizes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cache:
    """A folder: whose models are in it, where it is, its bytes; None where there is no folder."""

    what: str
    path: Path
    size: int | None


def caches() -> Iterator[Cache]:
    """The folders of docs/offline.md, as the environment sets them."""
    home = Path.home() / ".cache"
    hub = _of("HF_HUB_CACHE") or (_of("HF_HOME") or home / "huggingface") / "hub"
    torch = (_of("TORCH_HOME") or (_of("XDG_CACHE_HOME") or home) / "torch") / "hub" / "checkpoints"
    for what, path in [
        ("Hugging Face hub", hub),
        ("torchvision, timm", torch),
        ("open-clip", home / "clip"),
    ]:
        yield Cache(what, path, _size(path) if path.is_dir() else None)


def _of(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value).expanduser() if value else None


def _size(folder: Path) -> int:
    """Bytes of all files below; a link counts for nothing, what cannot be read neither."""
    total, ahead = 0, [folder]
    while ahead:
        try:
            entries = [*os.scandir(ahead.pop())]
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                ahead.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                total += entry.stat(follow_symlinks=False).st_size
    return total
