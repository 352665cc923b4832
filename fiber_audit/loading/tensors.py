"""Files of weights, read as tensors alone: nothing in them is executed, unless a user trusts it."""

from __future__ import annotations

import os
import pickle
import warnings
from argparse import Namespace  # arguments of a training script, which many keep
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import UsageError, WeightsError

TRUSTED = "FIBER_AUDIT_ALLOW_PICKLE"
"""The variable that names files, and folders of files, that may run code when they are loaded.

`--allow-pickle` sets it, so that worker processes know it, too.
"""


def trust(paths: Iterable[Path]) -> None:
    """Let some files, or all files of some folders, run code when they are loaded.

    Raises:
        UsageError: there is no such file or folder.
    """
    named = [str(path.resolve()) for path in paths]
    for path in named:
        if not Path(path).exists():
            raise UsageError(f"--allow-pickle {path}: no such file or folder; correct the path.")
    if named:
        before = [word for word in os.environ.get(TRUSTED, "").split(os.pathsep) if word]
        os.environ[TRUSTED] = os.pathsep.join(dict.fromkeys([*before, *named]))


def is_trusted(path: Path) -> bool:
    """Whether a user said so of a file, or of a folder that it is in."""
    words = [word for word in os.environ.get(TRUSTED, "").split(os.pathsep) if word]
    return any(path.resolve().is_relative_to(Path(word).resolve()) for word in words)


def read_tensors(path: Path) -> Any:
    """What a .safetensors file or one that torch saved holds, on the CPU: tensors in tables.

    A file that a user trusts may hold a whole module, too: then its state_dict.

    Raises:
        WeightsError: no such file; it holds what could run code; it cannot be read.
    """
    import torch

    if not path.is_file():
        raise WeightsError(f"{path}: no such file; give the path of a checkpoint.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        if is_trusted(path):
            found = torch.load(path, map_location="cpu", weights_only=False)
            return found.state_dict() if isinstance(found, torch.nn.Module) else found
        with warnings.catch_warnings(), torch.serialization.safe_globals([Namespace]):
            warnings.simplefilter("ignore")  # an error follows what it says of strange pickles
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than tensors, which could run code; save network.state_dict() "
            f"alone, best as .safetensors; if you trust whoever made it: --allow-pickle {path}."
        ) from error
    except Exception as error:  # whatever is said to a file that is no checkpoint
        raise WeightsError(
            f"{path} cannot be read as weights ({type(error).__name__}); give a .safetensors file "
            f"or a state_dict."
        ) from error
