"""What has a name in a coloured digit: its colour and its number."""

from __future__ import annotations

from torch import Tensor

from fiber_audit.contracts import Attribute
from fiber_audit.loading import digest_of

from .colouring import colour_of
from .nets import Judge
from .weights import SHIPPED

ACCURACY = 0.975
"""Of the judge on MNIST's test half: `benchmarks/results/study_causal.csv`."""


class CausalColour(Attribute):
    """`causal-colour`: which of both channels holds more, 0 or 1. A definition."""

    kind = "class"

    def read(self, x: Tensor) -> Tensor:
        """(n, 2, 14, 14) -> (n,) int64."""
        return colour_of(x)


class CausalDigit(Attribute):
    """`causal-digit`: the number, by a judge that sees no colour."""

    kind = "class"
    accuracy = ACCURACY
    chance = 0.1

    def __init__(self) -> None:
        self.network = SHIPPED.load(Judge(), "judge")
        self.weights_sha256 = digest_of({"network": self.network})

    def read(self, x: Tensor) -> Tensor:
        """(n, 2, 14, 14) -> (n,) int64, 0 to 9."""
        return self.network(x).argmax(1)
