"""Small gray digits: the thousand held-out ones in the wheel, and MNIST for training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fiber_audit import DataError

HELD_OUT = Path(__file__).parent / "data" / "held_out_digits.npz"
SIDE = 14


@dataclass(frozen=True)
class Digits:
    """Gray digits: images (n, 14, 14) float32 in [0, 1], numbers (n,) int64 from 0 to 9."""

    images: Tensor
    numbers: Tensor

    def __len__(self) -> int:
        return len(self.images)


def held_out() -> Digits:
    """The 1,000 shipped digits, 100 of each; no shipped network was trained on them."""
    with np.load(HELD_OUT, allow_pickle=False) as archive:
        return _digits(archive["images"], archive["labels"])


def full(path: Path, train: bool) -> Digits:
    """Every second pixel of MNIST's digits of one half, less the held-out ones.

    path: an .npz with the keys Xt, Yt, Xe, Ye, uint8 images.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    names = ("Xt", "Yt") if train else ("Xe", "Ye")
    try:
        with np.load(path, allow_pickle=False) as archive:
            images, labels = (archive[name] for name in names)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path}: cannot be read ({error}); give an .npz of MNIST with Xt, Yt, Xe, Ye."
        ) from error
    images = images.reshape(-1, 2 * SIDE, 2 * SIDE)[:, ::2, ::2]
    with np.load(HELD_OUT, allow_pickle=False) as archive:
        excluded = {image.tobytes() for image in archive["images"]}
    keep = np.array([image.tobytes() not in excluded for image in images])
    return _digits(images[keep], labels[keep])


def _digits(images: NDArray[Any], labels: NDArray[Any]) -> Digits:
    scaled = torch.from_numpy(images.astype(np.float32) / 255)
    return Digits(scaled, torch.from_numpy(labels.astype(np.int64)))
