"""Files of weights: read as tensors alone, which runs no code, and fitted to a network exactly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fiber_audit import WeightsError
from fiber_audit.loading import read_tensors

State = dict[str, Tensor]
WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
"""Under which key training scripts keep the weights; averaged ones come first."""
PREFIXES = ("_orig_mod.", "module.", "_orig_mod.")
"""What torch.compile and DataParallel put before every name."""


def read(path: Path) -> State:
    """Weights of a .safetensors file, or of a state_dict that torch saved.

    Raises:
        WeightsError: no such file, or it holds something else.
    """
    return _unwrapped(read_tensors(path), path)


def _unwrapped(found: Any, path: Path) -> State:
    if isinstance(found, Mapping):
        for key in WRAPPERS:
            if isinstance(found.get(key), Mapping):
                return _unwrapped(found[key], path)
        if found and all(isinstance(value, Tensor) for value in found.values()):
            return {_bare(str(name)): value for name, value in found.items()}
    raise WeightsError(f"{path} holds no state_dict; save network.state_dict() alone.")


def _bare(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def fill(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Load weights that are exactly those of the network; old files do not count their batches.

    Raises:
        WeightsError: some are missing, left over, or of another shape.
    """
    own = network.state_dict()
    wrong = {
        "missing": [k for k in own if k not in state and not k.endswith("num_batches_tracked")],
        "left over": [k for k in state if k not in own],
        "of another shape": [k for k, v in state.items() if k in own and v.shape != own[k].shape],
    }
    told = [f"{len(keys)} are {how} (say {keys[0]})" for how, keys in wrong.items() if keys]
    if told:
        raise WeightsError(
            f"the weights are not those of {name}: {', '.join(told)}; "
            "give a checkpoint of that network, or name the network it is of."
        )
    network.load_state_dict(state)
