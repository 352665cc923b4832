"""Gray MNIST digits: the thousand held-out ones in the wheel, and the full set for training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fiber_audit import DataError

HELD_OUT = Path(__file__).parent / "data" / "held_out_digits.npz"


@dataclass(frozen=True)
class Digits:
    """Gray digits: images (n, 1, 28, 28) float32 in [0, 1], labels (n,) int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)


def held_out() -> Digits:
    """The 1,000 shipped digits (100 per class); no shipped network was trained on them."""
    with np.load(HELD_OUT, allow_pickle=False) as archive:
        return _digits(archive["images"], archive["labels"])


def full(path: Path, train: bool = True) -> Digits:
    """All MNIST digits of one split, less the held-out ones.

    path: an ``.npz`` with keys Xt, Yt, Xe, Ye (uint8 images), or a torchvision MNIST folder.
    The held-out digits are left out by exact match of their pixels.
    """
    images, labels = _from_npz(path, train) if path.suffix == ".npz" else _from_folder(path, train)
    with np.load(HELD_OUT, allow_pickle=False) as archive:
        excluded = {image.tobytes() for image in archive["images"]}
    keep = np.array([image.tobytes() not in excluded for image in images])
    return _digits(images[keep], labels[keep])


def _from_npz(path: Path, train: bool) -> tuple[np.ndarray, np.ndarray]:
    if not path.is_file():
        raise DataError(f"{path}: no such file; give an .npz of MNIST with keys Xt, Yt, Xe, Ye.")
    names = ("Xt", "Yt") if train else ("Xe", "Ye")
    with np.load(path, allow_pickle=False) as archive:
        missing = [name for name in names if name not in archive]
        if missing:
            raise DataError(f"{path}: lacks {missing}; it must hold the keys Xt, Yt, Xe, Ye.")
        return archive[names[0]], archive[names[1]]


def _from_folder(path: Path, train: bool) -> tuple[np.ndarray, np.ndarray]:
    from torchvision.datasets import MNIST

    try:
        data = MNIST(path, train=train, download=False)
    except RuntimeError as error:
        raise DataError(f"{path}: not a torchvision MNIST folder ({error}).") from error
    return data.data.numpy(), data.targets.numpy()


def _digits(images: np.ndarray, labels: np.ndarray) -> Digits:
    scaled = torch.from_numpy(images.astype(np.float32) / 255).unsqueeze(1)
    return Digits(scaled, torch.from_numpy(labels.astype(np.int64)))
