"""From a decoded picture of any size to data space: one size, one number of channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from fiber_audit.contracts import Count, held

from .pictures import Alpha, decoded

Resize = Literal["crop", "pad", "squash"]
Channels = Literal["auto", "rgb", "grey"]
Size = int | tuple[int, int]
BICUBIC = Image.Resampling.BICUBIC


@dataclass(frozen=True)
class Look:
    """What every picture of a set looks like in the end.

    Pillow resizes: bicubic, antialiased, in 8 bits; 16-bit grey in floats, then clamped. A picture
    that has the size already keeps its values.

    size: a side, or (height, width). resize: "crop" fills the frame and cuts what stands out on two
    sides, "pad" shows all between black bars, "squash" changes the proportions. channels: "auto" is
    to be replaced by one of the others (`grey_or_colour`); until then it is colour.
    """

    size: Size
    resize: Resize = "crop"
    channels: Channels = "auto"
    alpha: Alpha = "white"

    def __post_init__(self) -> None:
        held("size", self.size, Count | tuple[Count, Count])

    @property
    def grey(self) -> bool:
        """One channel rather than three."""
        return self.channels == "grey"

    @property
    def height_width(self) -> tuple[int, int]:
        """Height and width."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return (1 if self.grey else 3, *self.height_width)

    def of(self, file: IO[bytes]) -> Tensor:
        """An encoded picture in data space, `shape` float32 in [0, 1].

        Raises:
            Unreadable: it cannot be decoded.
        """
        image = self._fitted(decoded(file, self.alpha))
        if image.mode == "F":
            x = torch.from_numpy(np.array(image)).clamp(0, 1)[None]
            return x if self.grey else x.expand(3, -1, -1)
        image = image.convert("L" if self.grey else "RGB")
        x = torch.from_numpy(np.array(image)).float() / 255
        return x[None] if self.grey else x.permute(2, 0, 1)

    def _fitted(self, image: Image.Image) -> Image.Image:
        height, width = self.height_width
        if self.resize == "crop":
            return ImageOps.fit(image, (width, height), BICUBIC)
        if self.resize == "pad":
            return ImageOps.pad(image, (width, height), BICUBIC)
        return image.resize((width, height), BICUBIC)

    def __str__(self) -> str:
        height, width = self.height_width
        colour = "grey" if self.grey else "colour"
        return f"{self.resize} to {height} × {width}, {colour}, bicubic, alpha on {self.alpha}"
