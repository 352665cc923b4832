"""The networks under audit and the judges. All take radiographs (n, 1, size, size) in [0, 1].

The size is 28 in all that is shipped.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .radiographs import mirrored

CODE = 32


def strided(width: int = 16, outputs: int = CODE, size: int = 28) -> nn.Sequential:
    """Three strided convolutions and a linear layer: what all networks under audit are."""
    w, by = width, size // 14
    return nn.Sequential(
        nn.Conv2d(1, w, by + 2, by, 1), nn.SiLU(),
        nn.Conv2d(w, 2 * w, 4, 2, 1), nn.SiLU(),
        nn.Conv2d(2 * w, 2 * w, 3, 2, 1), nn.SiLU(), nn.Flatten(),
        nn.Linear(2 * w * 16, outputs),
    )  # fmt: skip


def pooled(width: int = 16, outputs: int = 1, size: int = 28) -> nn.Sequential:
    """Convolutions with pooling between them, and a hidden layer: another architecture."""
    w, by = width, size // 14
    left = size // by // 4
    return nn.Sequential(
        nn.Conv2d(1, w, by + 3, by, 2), nn.GELU(),
        nn.Conv2d(w, 2 * w, 3, 1, 1), nn.GELU(), nn.AvgPool2d(2),
        nn.Conv2d(2 * w, 2 * w, 3, 1, 1), nn.GELU(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(2 * w * left**2, 48), nn.GELU(), nn.Dropout(0.2), nn.Linear(48, outputs),
    )  # fmt: skip


def dense(outputs: int = 1, size: int = 28) -> nn.Sequential:
    """All pixels at once through two layers: no convolution."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(size**2, 96), nn.SiLU(), nn.Dropout(0.3), nn.Linear(96, outputs)
    )


class Code(nn.Module):
    """A code of 32 numbers; `unit` puts it on the sphere, as contrastive learning does."""

    def __init__(self, unit: bool = False, size: int = 28) -> None:
        super().__init__()
        self.unit = unit
        self.body = strided(size=size)

    def forward(self, x: Tensor) -> Tensor:
        """Radiographs -> (n, 32)."""
        code: Tensor = self.body(x)
        return F.normalize(code, dim=1) if self.unit else code


class Classifier(nn.Module):
    """Pneumonia or not: 32 features behind a nonlinearity, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body = strided()
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(CODE, 1)

    def features(self, x: Tensor) -> Tensor:
        """Radiographs -> (n, 32)."""
        features: Tensor = F.silu(self.body(x))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Radiographs -> log odds of pneumonia (n,)."""
        odds: Tensor = self.head(self.dropout(self.features(x)))
        return odds[:, 0]


class FlipAverage(nn.Module):
    """Features of a classifier, averaged over a picture and its mirror image: exactly blind."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        """Radiographs -> (n, 32); the same for both ways round."""
        features = self.classifier.features(torch.cat([x, mirrored(x)]))
        a, b = features.chunk(2)
        return (a + b) / 2


class Features(nn.Module):
    """A classifier's features as a network of its own, so that its evaluations are counted."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        """Radiographs -> (n, 32)."""
        return self.classifier.features(x)


class SideJudge(nn.Module):
    """Log odds that a chest faces the usual way: f(x) - f(mirrored x), so exactly fair."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """Radiographs -> (n,); the negative of it for the mirrored ones."""
        a, b = self.body(torch.cat([x, mirrored(x)]))[:, 0].chunk(2)
        odds: Tensor = a - b
        return odds


class LabelJudge(nn.Module):
    """Log odds of pneumonia, the same for both ways round."""

    def __init__(self) -> None:
        super().__init__()
        self.body = pooled()

    def forward(self, x: Tensor) -> Tensor:
        """Radiographs -> (n,)."""
        a, b = self.body(torch.cat([x, mirrored(x)]))[:, 0].chunk(2)
        odds: Tensor = (a + b) / 2
        return odds
