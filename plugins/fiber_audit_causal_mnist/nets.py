"""The networks: two classifiers of one architecture, and a judge of digits."""

from __future__ import annotations

from torch import Tensor, nn


class Classifier(nn.Module):
    """392-390-390-1 with ReLU: coloured digits -> the logit of label 1."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(392, 390), nn.ReLU(), nn.Linear(390, 390), nn.ReLU(),
            nn.Linear(390, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(n, 2, 14, 14) -> (n, 1)."""
        return self.layers(x)


class Judge(nn.Module):
    """Sees the sum of both channels only, so that colour cannot sway it -> ten logits."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.GELU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1), nn.GELU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(48 * 9, 96), nn.GELU(), nn.Linear(96, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(n, 2, 14, 14) -> (n, 10)."""
        return self.layers(x.sum(1, keepdim=True))
