"""The file of a fitted Gaussian: one safetensors, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fiber_audit import DiskError, WeightsError

FILE = "gaussian.safetensors"
FORMAT = 1


@dataclass(frozen=True)
class Fitted:
    """tensors: mean, vectors, values, rest, center, scale. facts: rank, digest, items, shape."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    def write(self, folder: Path) -> None:
        """Write it, in float32.

        Raises:
            DiskError: the folder cannot be written.
        """
        path = folder / FILE
        partial = path.with_suffix(".partial")
        single = {
            name: value.to(torch.float32).contiguous() for name, value in self.tensors.items()
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            save_file(single, partial, {"facts": json.dumps({"format": FORMAT, **self.facts})})
            os.replace(partial, path)  # noqa: PTH105 - as one step
        except (OSError, SafetensorError) as error:
            raise DiskError(f"{path}: cannot be written ({error}).") from error


def read(folder: Path) -> Fitted | None:
    """What is fitted in a folder, or None where nothing is.

    Raises:
        WeightsError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']}, not {FORMAT}")
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path}: not a fitted Gaussian ({error}); delete it, and run: fiber-audit fit SUITE"
        ) from error
    return Fitted(tensors, facts)
