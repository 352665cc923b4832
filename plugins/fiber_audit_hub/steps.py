"""A library's own list of transforms, run on tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import PILToTensor, ToTensor


@dataclass(frozen=True)
class Steps:
    """Transforms that take a picture, or images (n, c, h, w) in [0, 1], to what a network sees.

    What turns a picture into a tensor is left out for images. They are clamped after every step
    before that: a bicubic resize leaves the range, and 8 bits do not.
    """

    transforms: Sequence[Callable[[Any], Any]]

    def of_tensor(self, x: Tensor) -> Tensor:
        """(n, c, h, w) in [0, 1] -> the network's input, differentiable."""
        eight_bits = True
        for step in self.transforms:
            if isinstance(step, PILToTensor | ToTensor):
                eight_bits = False
            else:
                x = step(x).clamp(0, 1) if eight_bits else step(x)
        return x

    def of_picture(self, picture: Image) -> Tensor:
        """A picture -> the network's input, (1, ...)."""
        found: Any = picture
        for step in self.transforms:
            found = step(found)
        return found[None]
