"""What a network of a package is beyond its weights: code, and tensors that are no weights."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor, nn

from fiber_audit.loading import versions


def code_digest(target: str, network: nn.Module) -> str:
    """SHA-256 of the packages that a network is of: the target's, and those of its modules.

    torch is left out unless it is the target's: what it computes is its version's affair.
    """
    packages = {type(module).__module__.partition(".")[0] for module in network.modules()}
    names = (packages - {"torch", "builtins"}) | {target.partition(":")[0].partition(".")[0]}
    return sha256("\0".join(_of_package(name) for name in sorted(names)).encode()).hexdigest()


def loose_digest(network: nn.Module) -> str:
    """SHA-256 of what a state_dict leaves out: tensors as attributes, buffers not persistent."""
    found = sha256()
    for name, value in _loose(network):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        data = value.detach().cpu().contiguous().flatten()
        found.update(data.view(torch.uint8).numpy().data)
    return found.hexdigest()


def _loose(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, module in network.named_modules():
        for key, value in sorted(vars(module).items()):
            if isinstance(value, Tensor):
                yield f"{name}.{key}", value
    kept = network.state_dict()
    for name, value in network.named_buffers():
        if name not in kept:
            yield name, value


def _of_package(name: str) -> str:
    """Version and sources of an imported package, or of a module of one file."""
    module = sys.modules.get(name)
    folders = [Path(folder) for folder in getattr(module, "__path__", ())]
    files = [(file, folder) for folder in folders for file in sorted(folder.rglob("*.py"))]
    own = getattr(module, "__file__", None)
    if own and not folders:
        files = [(Path(own), Path(own).parent)]
    found = sha256(f"{name} {versions(name)} {getattr(module, '__version__', '')}".encode())
    for file, folder in files:
        found.update(f"\0{file.relative_to(folder).as_posix()}\0".encode() + _read(file))
    return found.hexdigest()


def _read(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""
