"""Preprocessing that the user writes out, for networks that no library knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from PIL.Image import Image
from torch import Tensor
from torchvision import transforms as T

from fiber_audit import UsageError
from fiber_audit.contracts import Count, NonNegativeInt, held

from .steps import Steps

Side = NonNegativeInt | tuple[Count, Count]
"""Pixels: of the short edge or of both, (height, width), or 0 for none."""
Interpolation = Literal["bilinear", "bicubic"]
Mean = tuple[float, ...]
"""One number, or one per channel."""
Range = tuple[float, float]
OPTIONS: dict[str, Any] = {
    **{"resize": Side, "crop": Side, "interpolation": Interpolation, "antialias": bool},
    **{"mean": Mean, "std": Mean, "range": Range, "grey": bool},
}
"""The types of what `Preprocessing` is made of, which are options of several extractors."""


@dataclass(frozen=True)
class Preprocessing:
    """Resize, crop, range, mean and std, in this order, by torchvision's transforms.

    Pictures go through PIL, images through tensors. With antialias = False pictures become tensors
    first, since PIL cannot shrink without a filter.

    Raises:
        UsageError: lengths of mean and std that fit no channels, or a std that is not positive.
    """

    resize: int | tuple[int, int]
    crop: int | tuple[int, int]
    interpolation: Interpolation
    antialias: bool
    mean: Mean
    std: Mean
    range: tuple[float, float] = (0.0, 1.0)
    grey: bool = False

    def __post_init__(self) -> None:
        for name, kind in OPTIONS.items():
            held(name, getattr(self, name), kind)
        channels = 1 if self.grey else 3
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, channels):
                raise UsageError(
                    f"{name} = {list(values)}: {len(values)} numbers for {channels} channels; "
                    f"give one, or {channels}."
                )
        low, high = self.range
        if not all(low <= m <= high for m in self.mean):
            raise UsageError(
                f"mean = {list(self.mean)}: outside of range = {list(self.range)}, what black and "
                f"white are before it; set the range that it was measured in, say [0, 255]."
            )
        if min(self.std) <= 0:
            raise UsageError(f"std = {list(self.std)}: the network's input is divided by it.")

    def of_tensor(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) in [0, 1] -> the network's input."""
        return Steps(self._steps()).of_tensor(x)

    def of_picture(self, picture: Image) -> Tensor:
        """An RGB picture -> the network's input, (1, c, h, w)."""
        return Steps(self._steps()).of_picture(picture)

    def _steps(self) -> list[Callable[[Any], Any]]:
        how = T.InterpolationMode(self.interpolation)
        steps: list[Callable[[Any], Any]] = [] if self.antialias else [T.ToTensor()]
        if self.resize:
            steps.append(T.Resize(self.resize, how, antialias=self.antialias))
        if self.crop:
            steps.append(T.CenterCrop(self.crop))
        if self.antialias:
            steps.append(T.ToTensor())
        if self.grey:
            steps.append(T.Grayscale())
        # (low + (high - low) x - mean) / std, written as one normalisation
        (low, high), channels = self.range, 1 if self.grey else 3
        width = high - low
        mean = [(m - low) / width for m in _each(self.mean, channels)]
        std = [s / width for s in _each(self.std, channels)]
        return [*steps, T.Normalize(mean, std)]


def _each(values: Mean, channels: int) -> Mean:
    return values * channels if len(values) == 1 else values
