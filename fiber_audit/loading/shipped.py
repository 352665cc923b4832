"""The weights that a plugin ships: one safetensors file a network, by a manifest of digests.

They are stored in half precision, to keep the wheel small, and always computed with in float32.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import WeightsError
from ..files import write_atomically

if TYPE_CHECKING:
    from torch import nn

MANIFEST = "manifest.json"
Network = TypeVar("Network", bound="nn.Module")


@dataclass(frozen=True)
class Shipped:
    """A folder of networks. Every access holds the file against the manifest, once."""

    folder: Path

    def digest(self, name: str) -> str:
        """SHA-256 of one network's file.

        Raises:
            WeightsError: the file is missing, or is not the one of the manifest.
        """
        return _checked(name, self.folder)

    def facts(self, name: str) -> dict[str, Any]:
        """What training found out about a network: accuracy on held-out data, steps and so on."""
        self.digest(name)
        found: dict[str, Any] = _manifest(self.folder)[name]["facts"]
        return found

    def load(self, network: Network, name: str) -> Network:
        """Fill a network with its weights: float32, frozen, in eval mode."""
        from safetensors.torch import load_file

        self.digest(name)
        state = load_file(_file(name, self.folder))
        network.load_state_dict({key: value.float() for key, value in state.items()})
        return network.eval().requires_grad_(False)

    def store(self, network: nn.Module, name: str, facts: Mapping[str, Any]) -> None:
        """Write one network in half precision, and its digest and facts into the manifest."""
        from safetensors.torch import save

        state = {key: value.half().contiguous() for key, value in network.state_dict().items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        content = save(state)
        write_atomically(_file(name, self.folder), content)
        entry = {"sha256": sha256(content).hexdigest(), "facts": dict(facts)}
        manifest = dict(sorted({**_manifest(self.folder), name: entry}.items()))
        text = json.dumps(manifest, indent=2, allow_nan=False)
        write_atomically(self.folder / MANIFEST, f"{text}\n".encode())
        _checked.cache_clear()


def _file(name: str, folder: Path) -> Path:
    return folder / f"{name}.safetensors"


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


@cache
def _checked(name: str, folder: Path) -> str:
    path = _file(name, folder)
    if not path.is_file():
        raise WeightsError(f"{path}: the weights are missing; reinstall fiber-audit.")
    found = sha256(path.read_bytes()).hexdigest()
    told = str(_manifest(folder).get(name, {}).get("sha256"))
    if found != told:
        raise WeightsError(
            f"{path}: sha256 is {found[:12]}…, the manifest says {told[:12]}…; reinstall "
            f"fiber-audit or train again."
        )
    return found
