"""The shapes: bold silhouettes of handwritten digits, as soft masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fiber_audit import DataError

from .textures import SIZE

HELD_OUT = Path(__file__).parent / "data" / "held_out_digits.npz"
BOLD = 3
"""Side of the square that strokes are widened by, in pixels."""
MARGIN = 2
"""Of the 28 x 28 pixels, cut off on all sides before a digit is enlarged."""
SOFT = 0.8
"""Deviation of the blur, in pixels."""
EDGE = 10.0
"""How steep the edge of a mask is; see `cut`."""


@dataclass(frozen=True)
class Shapes:
    """Soft masks (n, 1, 32, 32) in [0, 1] and which digits they are, (n,) int64."""

    masks: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.masks)


def held_out() -> Shapes:
    """The 500 shipped digits; no shipped network was trained on them."""
    with np.load(HELD_OUT, allow_pickle=False) as file:
        return _of(file["images"], file["labels"])


def read(path: Path, train: bool = True) -> Shapes:
    """A half of MNIST: an .npz with uint8 images Xt, Xe and labels Yt, Ye.

    Raises:
        DataError: it is missing, or no such file.
    """
    images, labels = ("Xt", "Yt") if train else ("Xe", "Ye")
    try:
        with np.load(path, allow_pickle=False) as file:
            return _of(file[images], file[labels])
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as MNIST ({error}); give an .npz with Xt, Yt, Xe and Ye."
        ) from error


def _of(images: np.ndarray, labels: np.ndarray) -> Shapes:
    parts = [
        soft(torch.from_numpy(part.astype(np.float32) / 255)[:, None])
        for part in np.array_split(images, max(1, len(images) // 1000))
    ]
    return Shapes(torch.cat(parts), torch.from_numpy(labels.astype(np.int64)))


def soft(gray: Tensor) -> Tensor:
    """Gray digits (n, 1, 28, 28) in [0, 1] -> their strokes widened and softened, 32 x 32."""
    inner = gray[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
    solid = (F.interpolate(inner, (SIZE, SIZE), mode="bilinear") > 0.4).float()
    return blurred(F.max_pool2d(solid, BOLD, 1, BOLD // 2), SOFT)


def blurred(x: Tensor, deviation: float) -> Tensor:
    """Images (n, c, h, w) under a Gaussian blur; outside they are 0."""
    reach = int(3 * deviation + 0.5)
    at = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-(at**2) / (2 * deviation**2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    x = F.conv2d(x, kernel, padding=(0, reach), groups=x.shape[1])
    return F.conv2d(x, kernel.transpose(2, 3), padding=(reach, 0), groups=x.shape[1])


def cut(mask: Tensor, edge: float = EDGE) -> Tensor:
    """Soft masks -> masks with clear edges, where a soft one is 1/2."""
    return torch.sigmoid(edge * (mask - 0.5))
