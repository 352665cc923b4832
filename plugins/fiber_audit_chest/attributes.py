"""Which way a chest faces, and whether a judge sees pneumonia."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from fiber_audit.contracts import Attribute

from .nets import LabelJudge, SideJudge, dense, pooled
from .weights import SHIPPED


class Judged(Attribute):
    """A class by the sign of a network's log odds."""

    kind = "class"
    chance = 0.5

    def __init__(self, network: nn.Module, name: str) -> None:
        self.network = SHIPPED.load(network, name)
        self.weights_sha256 = SHIPPED.digest(name)
        self.accuracy = float(SHIPPED.facts(name)["accuracy"])

    @torch.no_grad()
    def read(self, x: Tensor) -> Tensor:
        """Radiographs (n, 1, 28, 28) -> (n,) int64, 1 where the odds are above even."""
        odds: Tensor = self.network(x)
        return (odds > 0).long()


class ChestSide(Judged):
    """1 where the chest faces the usual way, 0 where it is mirrored; a radiograph, not a patient.

    Each judge's odds for a mirrored picture are exactly the inverse of those for the picture.

    Args:
        judge: 1 is convolutional, 2 takes all pixels at once.
    """

    def __init__(self, judge: Literal[1, 2] = 1) -> None:
        body = pooled() if judge == 1 else dense()
        super().__init__(SideJudge(body), f"side-{judge}")
        self.facts = {"judge": f"network {judge}, {self.accuracy:.1%} right on held-out data"}


class ChestLabel(Judged):
    """1 where a judge takes a radiograph for one labelled pneumonia; no diagnosis."""

    def __init__(self) -> None:
        super().__init__(LabelJudge(), "label")
        self.chance = float(SHIPPED.facts("label")["chance"])
        self.facts = {"judge": f"{self.accuracy:.1%} right on held-out data"}
