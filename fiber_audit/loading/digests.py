"""Digests of what was learned, and of whatever else changes what it computes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


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
