"""Convolutions that halve or double a picture of few channels, as products of matrices.

With one or three channels on one side, the kernels of convolutions fill few lanes of a processor,
backwards above all: as patches and a product they are three times as fast on one core. Weights,
and what is computed, are those of the classes of torch.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

SIZE, STRIDE, PADDING = 4, 2, 1


class Halve(nn.Conv2d):
    """Pictures (n, few, 2 h, 2 w) -> (n, many, h, w)."""

    def __init__(self, few: int, many: int) -> None:
        super().__init__(few, many, SIZE, STRIDE, PADDING)

    def forward(self, x: Tensor) -> Tensor:
        """Cut into patches, then multiply."""
        assert self.bias is not None
        patches = F.unfold(x, SIZE, padding=PADDING, stride=STRIDE)
        y = self.weight.flatten(1) @ patches + self.bias[:, None]
        return y.unflatten(2, (x.shape[2] // STRIDE, x.shape[3] // STRIDE))


class Double(nn.ConvTranspose2d):
    """Pictures (n, many, h, w) -> (n, few, 2 h, 2 w)."""

    def __init__(self, many: int, few: int) -> None:
        super().__init__(many, few, SIZE, STRIDE, PADDING)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Multiply, then add the patches up."""
        assert self.bias is not None
        size = (x.shape[2] * STRIDE, x.shape[3] * STRIDE)
        patches = self.weight.flatten(1).t() @ x.flatten(2)
        return (
            F.fold(patches, size, SIZE, padding=PADDING, stride=STRIDE) + self.bias[:, None, None]
        )
