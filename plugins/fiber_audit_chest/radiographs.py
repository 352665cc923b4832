"""Chest radiographs of 28 x 28 pixels: their corners black, and the way they face.

Printed letters that name a side stand near the corners of a radiograph, so the corners are black in
everything that is trained, drawn or measured here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from fiber_audit import DataError

SHAPE = (1, 28, 28)
CORNER = 6
"""Side of a black corner, in pixels of 28."""
Split = Literal["train", "val", "test"]


def corners(size: int = SHAPE[1]) -> Tensor:
    """(1, size, size) bool, True inside the four corners."""
    edge, width = torch.zeros(size, dtype=torch.bool), round(CORNER * size / SHAPE[1])
    edge[:width] = edge[-width:] = True
    return (edge[:, None] & edge[None])[None]


def masked(x: Tensor) -> Tensor:
    """Square radiographs (n, 1, size, size) in [0, 1] with black corners."""
    return x.masked_fill(corners(x.shape[-1]).to(x.device), 0.0)


def mirrored(x: Tensor) -> Tensor:
    """The other way round: at this size, what situs inversus looks like."""
    return x.flip(-1)


def read(path: Path, split: Split) -> tuple[Tensor, Tensor]:
    """A split of MedMNIST's pneumoniamnist.npz: uint8 (n, 1, 28, 28), and labels (n,) int64.

    Label 1 is pneumonia. The corners are as they are in the file.

    Raises:
        DataError: it is missing, or no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            images, labels = file[f"{split}_images"], file[f"{split}_labels"].reshape(-1)
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: no such file; give the path of MedMNIST's pneumoniamnist.npz, which the "
            f"package medmnist downloads."
        ) from error
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as MedMNIST's .npz ({error}).") from error
    if images.ndim != 3 or images.shape[1:] != SHAPE[1:] or len(labels) != len(images):
        raise DataError(
            f"{path}: {split}_images is of shape {images.shape}, and grey pictures of 28 x 28 are "
            f"wanted; take pneumoniamnist.npz."
        )
    return torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64))
