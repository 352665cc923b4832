"""The shipped weights: half precision in safetensors, computed with in single."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from fiber_audit import WeightsError

FOLDER = Path(__file__).parent / "weights"
Network = TypeVar("Network", bound=nn.Module)


def fill(network: Network, name: str, folder: Path = FOLDER) -> Network:
    """Load one network by name, frozen, in eval mode.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    path = folder / f"{name}.safetensors"
    try:
        tensors = load_file(path)
        network.load_state_dict({n: value.float() for n, value in tensors.items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        told = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: cannot be loaded ({told}); reinstall fiber-audit, or train it with "
            f"python -m fiber_audit_causal_mnist.train {name}"
        ) from error
    return network.eval().requires_grad_(False)


def store(network: nn.Module, name: str, folder: Path = FOLDER) -> None:
    """Write one network in half precision."""
    halved = {n: value.half().contiguous() for n, value in network.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(halved, folder / f"{name}.safetensors")
