"""Attributes of the pixel values themselves: the mean colour, and the contrast."""

from __future__ import annotations

from torch import Tensor

from fiber_audit import DataError
from fiber_audit.contracts import Attribute


class MeanColour(Attribute):
    """`mean-colour`: the mean of each channel of an image, (n, c). A definition."""

    unit = "data range"

    def read(self, x: Tensor) -> Tensor:
        """Images (n, c, h, w) -> (n, c)."""
        return images(x, "mean-colour").double().mean(dim=(2, 3))


class Contrast(Attribute):
    """`contrast`: the standard deviation of an image's gray values, (n,). A definition."""

    unit = "data range"

    def read(self, x: Tensor) -> Tensor:
        """Images (n, c, h, w) -> (n,)."""
        gray = images(x, "contrast").double().mean(dim=1)
        return gray.flatten(1).std(dim=1, correction=0)


def images(x: Tensor, name: str) -> Tensor:
    """Images (n, c, h, w), unchanged.

    Raises:
        DataError: they are something else.
    """
    if x.ndim != 4:
        raise DataError(
            f"attribute {name!r}: reads images (n, c, h, w), but these inputs are "
            f"{tuple(x.shape)}; use 'column' for tables."
        )
    return x
