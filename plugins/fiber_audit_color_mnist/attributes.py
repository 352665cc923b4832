"""What varies among coloured digits, and has a name: digit, colours, slant, thickness, place."""

from __future__ import annotations

import torch
from torch import Tensor

from fiber_audit.contracts import Attribute

from .colouring import background_of, decolorize
from .nets import judge
from .weights import SHIPPED

TINY = 1e-6


class Digit(Attribute):
    """`digit`: which digit it is, says the judge, a classifier that is no extractor here."""

    kind = "class"
    accuracy = 0.984
    chance = 0.1

    def __init__(self) -> None:
        self.judge = SHIPPED.load(judge(), "judge")
        self.weights_sha256 = SHIPPED.digest("judge")

    def read(self, x: Tensor) -> Tensor:
        """Coloured digits (n, 3, 28, 28) -> (n,) int64."""
        with torch.no_grad():
            found: Tensor = self.judge(x).argmax(1)
        return found


class DigitColour(Attribute):
    """`digit-colour`: the background's colour, (n, 3); the foreground's follows from it."""

    unit = "colour"

    def read(self, x: Tensor) -> Tensor:
        """Coloured digits (n, 3, 28, 28) -> (n, 3)."""
        return background_of(x)


class DigitInk(Attribute):
    """`digit-ink`: the colour of the strokes, (n, 3): of the pixels that are least like the back.

    In the data it follows from the background's, so that what frees it alone has left the data.
    """

    unit = "colour"
    pixels = 20

    def read(self, x: Tensor) -> Tensor:
        """Coloured digits (n, 3, 28, 28) -> (n, 3)."""
        back = background_of(x)[:, :, None]
        far = (x.flatten(2) - back).abs().sum(1).topk(self.pixels, dim=1).indices
        return x.flatten(2).gather(2, far[:, None].expand(-1, x.shape[1], -1)).mean(2)


class DigitSlant(Attribute):
    """`digit-slant`: how far the strokes lean, (n,): columns to the left per row downwards.

    The shear mu_11 / mu_02 of the gray digit's central moments.
    """

    unit = "shear"

    def read(self, x: Tensor) -> Tensor:
        """Coloured digits (n, 3, 28, 28) -> (n,)."""
        m = gray_of(x)
        down, right = _centred(m)
        both = (m * down[:, :, None] * right[:, None]).sum((1, 2))
        return -both / (m * down[:, :, None] ** 2).sum((1, 2)).clamp(min=TINY)


class DigitThickness(Attribute):
    """`digit-thickness`: mean width of the strokes, (n,), in pixels.

    Twice the area over the length of the outline, which is the total variation of the gray digit:
    a stroke of width w and length l has the area w l and an outline of 2 l.
    """

    unit = "pixel"

    def read(self, x: Tensor) -> Tensor:
        """Coloured digits (n, 3, 28, 28) -> (n,)."""
        m = torch.nn.functional.pad(gray_of(x), (1, 1, 1, 1))
        down, right = m[:, 1:, :-1] - m[:, :-1, :-1], m[:, :-1, 1:] - m[:, :-1, :-1]
        outline = torch.sqrt(down**2 + right**2).sum((1, 2))
        return 2 * m.sum((1, 2)) / outline.clamp(min=TINY)


class DigitPosition(Attribute):
    """`digit-position`: the gray digit's centre of mass, (n, 2): rows down, columns right."""

    unit = "pixel"

    def read(self, x: Tensor) -> Tensor:
        """Coloured digits (n, 3, 28, 28) -> (n, 2)."""
        m = gray_of(x)
        return torch.stack(_centre(m), dim=1)


def gray_of(x: Tensor) -> Tensor:
    """The gray digit of coloured ones: (n, 3, h, w) -> (n, h, w) float64 in [0, 1]."""
    return decolorize(x.double())[:, 0].clamp(0, 1)


def _centre(m: Tensor) -> tuple[Tensor, Tensor]:
    """Centre of mass, (n,) rows and (n,) columns."""
    rows, columns = (torch.arange(size, dtype=m.dtype, device=m.device) for size in m.shape[1:])
    mass = m.sum((1, 2)).clamp(min=TINY)
    return (m.sum(2) * rows).sum(1) / mass, (m.sum(1) * columns).sum(1) / mass


def _centred(m: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns from the centre of mass: (n, h) and (n, w)."""
    down, right = _centre(m)
    rows, columns = (torch.arange(size, dtype=m.dtype, device=m.device) for size in m.shape[1:])
    return rows - down[:, None], columns - right[:, None]
