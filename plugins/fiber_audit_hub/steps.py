"""A library's own list of transforms, run on tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import Normalize, PILToTensor, ToTensor


@dataclass(frozen=True)
class Steps:
    """Transforms that take a picture, or images (n, c, h, w) in [0, 1], to what a network sees.

    What turns a picture into a tensor is left out for images, which are clamped before they are
    normalised: a bicubic resize leaves the range, and 8 bits do not.
    """

    transforms: Sequence[Callable[[Any], Any]]

    def of_tensor(self, x: Tensor) -> Tensor:
        """(n, c, h, w) in [0, 1] -> the network's input, differentiable."""
        for step in self.transforms:
            if isinstance(step, Normalize):
                x = x.clamp(0, 1)
            if not isinstance(step, PILToTensor | ToTensor):
                x = step(x)
        return x

    def of_picture(self, picture: Image) -> Tensor:
        """A picture -> the network's input, (1, ...)."""
        found: Any = picture
        for step in self.transforms:
            found = step(found)
        return found[None]
