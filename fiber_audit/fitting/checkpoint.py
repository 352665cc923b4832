"""A checkpoint: one safetensors file that a crash never leaves half written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import DiskError, WeightsError
from .training import Training

FOLDER, FILE = "checkpoint", "state.safetensors"
NOTHING: Mapping[str, Tensor] = MappingProxyType({})


def save(state: Training, folder: Path, also: Mapping[str, Tensor] = NOTHING) -> None:
    """Write the state of a training; the old checkpoint stands until the new one is whole.

    also: what the caller has to know besides, name -> tensor.

    Raises:
        DivergedError: its numbers are not finite: then the old one is kept.
        DiskError: there is no room.
    """
    state.check()
    facts = {"step": state.step, "seconds": state.seconds}
    path = folder / FOLDER / FILE
    partial = path.with_suffix(".partial")
    held = _tensors(state) | {f"also.{name}": value for name, value in also.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in held.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial, {"facts": json.dumps(facts)})
        os.replace(partial, path)  # noqa: PTH105 - as one step
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise DiskError(
            f"{path}: cannot be written ({error}); make room, and run again."
        ) from error
    state.saved = state.step


def restore(state: Training, folder: Path) -> dict[str, Tensor] | None:
    """Set a fresh training to its last checkpoint; what was saved besides, or None without one.

    Raises:
        WeightsError: the file is damaged, or of another network.
    """
    path = folder / FOLDER / FILE
    if not path.is_file():
        return None
    _moments(state)
    try:
        with safe_open(path, "pt") as file, torch.no_grad():
            facts = json.loads(file.metadata()["facts"])
            for name, value in _tensors(state).items():
                value.copy_(file.get_tensor(name))
            names = [n for n in file.keys() if n.startswith("also.")]  # noqa: SIM118
            also = {name.removeprefix("also."): file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path}: not a checkpoint of this fit ({error}); delete its folder to begin anew."
        ) from error
    state.step, state.seconds = int(facts["step"]), float(facts["seconds"])
    state.saved = state.step
    return also


def remove(folder: Path) -> None:
    """Delete what only a training that goes on needs."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def _moments(state: Training) -> None:
    """Give a fresh optimiser the moments that its first step would give it, to copy into."""
    for weight in state.weights:
        state.optimizer.state[weight] = {
            "step": torch.zeros((), device=weight.device),
            "exp_avg": torch.zeros_like(weight, memory_format=torch.preserve_format),
            "exp_avg_sq": torch.zeros_like(weight, memory_format=torch.preserve_format),
        }


def _tensors(state: Training) -> dict[str, Tensor]:
    """Every tensor of a training by name: weights, their average, the optimiser's moments."""
    found: dict[str, Tensor] = {}
    for part, network in (("network", state.network), ("average", state.average)):
        found.update({f"{part}.{name}": value for name, value in network.state_dict().items()})
    for i, weight in enumerate(state.weights):
        moments = state.optimizer.state[weight].items()
        found.update({f"optimizer.{i}.{name}": value for name, value in moments})
    return found
