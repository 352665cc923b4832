"""Which shape and which texture a picture has, says a judge that is not under audit."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from fiber_audit.contracts import Attribute

from .nets import SHAPES, TEXTURES, judge
from .weights import SHIPPED


class Judged(Attribute):
    """The likeliest class, by a network of its own."""

    kind = "class"

    def __init__(self, of: Literal["shape", "texture"], which: Literal[1, 2]) -> None:
        classes, name = (SHAPES if of == "shape" else TEXTURES), f"judge-{of}-{which}"
        self.network = SHIPPED.load(judge(which, classes), name)
        self.weights_sha256 = SHIPPED.digest(name)
        self.accuracy = float(SHIPPED.facts(name)["accuracy"])
        self.chance = 1 / classes
        self.facts = {"judge": f"network {which}, {self.accuracy:.1%} right on held-out data"}

    @torch.no_grad()
    def read(self, x: Tensor) -> Tensor:
        """Pictures (n, 1, 32, 32) -> (n,) int64."""
        return self.logits(x).argmax(1)

    @torch.no_grad()
    def logits(self, x: Tensor) -> Tensor:
        """Pictures (n, 1, 32, 32) -> (n, classes)."""
        found: Tensor = self.network(x)
        return found


class FigureShape(Judged):
    """Which digit a figure is, 0 to 9, whatever its texture.

    Args:
        judge: 1 pools between its convolutions, 2 has short cuts.
    """

    def __init__(self, judge: Literal[1, 2] = 1) -> None:
        super().__init__("shape", judge)


class FigureTexture(Judged):
    """Which of the eight textures a figure is filled with, whatever its shape.

    Args:
        judge: 1 pools between its convolutions, 2 has short cuts.
    """

    def __init__(self, judge: Literal[1, 2] = 1) -> None:
        super().__init__("texture", judge)
