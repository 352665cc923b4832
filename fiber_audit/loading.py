"""The kit of authors who load real models: libraries of an extra, hubs, files, digests.

Nothing here touches the network unless it is told to download, and what other libraries raise
leaves as one sentence with the command that mends it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .errors import WeightsError

if TYPE_CHECKING:
    from torch import nn


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


@contextmanager
def hub(model: str, download: bool) -> Iterator[None]:
    """Load `model` from a hub's cache, or with download = True from the hub itself.

    Raises:
        WeightsError: it is not in the cache, gated, of no such name or revision, or no model.
        DiskError: there is no room for it.
    """
    yield


def digest_of(modules: Mapping[str, nn.Module], *facts: str) -> str:
    """SHA-256, 64 hexadecimal digits, of all parameters and buffers and of some words.

    facts: whatever else changes what the modules compute: preprocessing, layer, prediction type.
    """
    found = sha256("\0".join(facts).encode())
    for name, module in sorted(modules.items()):
        found.update(f"\0{name}\0{state_digest(module)}".encode())
    return found.hexdigest()


def state_digest(module: nn.Module) -> str:
    """Digest of all parameters and buffers as they are now; "" if there are none."""
    import torch

    found, empty = sha256(), True
    for name, value in module.state_dict().items():
        if isinstance(value, torch.Tensor):
            empty = False
            found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            data = value.detach().cpu().contiguous().flatten()
            found.update(data.view(torch.uint8).numpy().data)
    return "" if empty else found.hexdigest()


def versions(*distributions: str) -> str:
    """Names and versions of installed distributions, for the facts of a component.

    >>> versions("no-such-thing")
    ''
    """
    from importlib import metadata

    found: list[Any] = []
    for name in distributions:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
