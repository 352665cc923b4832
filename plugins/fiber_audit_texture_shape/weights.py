"""The shipped weights: one safetensors file a network, by a manifest of sha256 digests.

They are stored in half precision to keep the wheel small, and always computed with in float32.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import load_file, save_file
from torch import nn

from fiber_audit import WeightsError

FOLDER = Path(__file__).parent / "weights"
Network = TypeVar("Network", bound=nn.Module)


def digest(name: str) -> str:
    """The manifest's sha256 of one network's file, after comparing it with the file."""
    return _checked(name, FOLDER)


def facts(name: str) -> dict[str, Any]:
    """What training found out about a network: accuracy on held-out data, steps and so on."""
    _checked(name, FOLDER)
    found: dict[str, Any] = _manifest(FOLDER)[name]["facts"]
    return found


def load(network: Network, name: str) -> Network:
    """Fill a network with its weights: float32, frozen, in eval mode."""
    _checked(name, FOLDER)
    state = {key: value.float() for key, value in load_file(FOLDER / f"{name}.safetensors").items()}
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def store(network: nn.Module, name: str, told: Mapping[str, Any], folder: Path = FOLDER) -> None:
    """Write one network in half precision, and its digest and facts into the manifest."""
    path = folder / f"{name}.safetensors"
    state = {key: value.half().contiguous() for key, value in network.state_dict().items()}
    save_file(state, path)
    manifest = _manifest(folder)
    manifest[name] = {"sha256": _sha256(path), "facts": dict(told)}
    text = json.dumps(dict(sorted(manifest.items())), indent=2)
    (folder / "manifest.json").write_text(text + "\n")


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


@cache
def _checked(name: str, folder: Path) -> str:
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise WeightsError(f"{path}: the weights are missing; reinstall fiber-audit.")
    found, told = _sha256(path), str(_manifest(folder).get(name, {}).get("sha256"))
    if found != told:
        raise WeightsError(
            f"{path}: sha256 is {found[:12]}…, the manifest says {told[:12]}…; reinstall "
            f"fiber-audit or train again."
        )
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
