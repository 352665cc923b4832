"""The shipped weights: safetensors folders, checked against a manifest of sha256 digests.

They are stored in half precision to keep the wheel small, and always computed with in float32.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from fiber_audit import WeightsError

FOLDER = Path(__file__).parent / "weights"
FILE = "diffusion_pytorch_model.safetensors"
Network = TypeVar("Network", bound=ModelMixin)


def digest(name: str) -> str:
    """The manifest's sha256 of one network's weights, after comparing it with the file."""
    return _checked_digest(name, FOLDER)


@cache
def _checked_digest(name: str, folder: Path) -> str:
    manifest = json.loads((folder / "manifest.json").read_text())
    path = folder / name / FILE
    if not path.is_file():
        raise WeightsError(f"{path}: the weights are missing; reinstall fiber-audit.")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != manifest.get(name):
        raise WeightsError(
            f"{path}: sha256 is {found[:12]}…, the manifest says "
            f"{str(manifest.get(name))[:12]}…; reinstall fiber-audit or train again."
        )
    return found


def load(kind: type[Network], name: str, folder: Path = FOLDER) -> Network:
    """Load one network in float32, frozen, in eval mode."""
    _checked_digest(name, folder)
    network = kind.from_pretrained(
        folder / name,
        torch_dtype=torch.float32,
        local_files_only=True,
        use_safetensors=True,
        low_cpu_mem_usage=False,  # True needs accelerate, and nothing here is large
    )
    return network.eval().requires_grad_(False)


def store(network: nn.Module, name: str, folder: Path = FOLDER) -> None:
    """Write one network in half precision and enter its digest into the manifest."""
    if not isinstance(network, ModelMixin):
        raise TypeError(f"{type(network).__name__} is not a diffusers model")
    network.half().save_pretrained(folder / name, safe_serialization=True)
    network.float()
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) if path.exists() else {}
    manifest[name] = hashlib.sha256((folder / name / FILE).read_bytes()).hexdigest()
    path.write_text(json.dumps(dict(sorted(manifest.items())), indent=2) + "\n")
