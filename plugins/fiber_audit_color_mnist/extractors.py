"""The networks under audit. What each knows is known: that makes the benchmark."""

from __future__ import annotations

from torch import Tensor, nn

from fiber_audit.contracts import Extractor

from .nets import ColourNet, DigitClassifier, ShapeAutoencoder
from .weights import digest, load


class _Penultimate(nn.Module):
    """A classifier's features as a network of its own, so that its evaluations are counted."""

    def __init__(self, classifier: DigitClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier.features(x)


class ColorMNISTExtractor(Extractor):
    """A network on coloured digits (n, 3, 28, 28) in [0, 1]; features (n, feature_size)."""

    input_shape = (3, 28, 28)

    def __init__(self, network: nn.Module, feature_size: int, name: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.feature_size = feature_size
        self.weights_sha256 = digest(name)

    def features(self, x: Tensor) -> Tensor:
        """Coloured digits -> features."""
        features: Tensor = self.network(x)
        return features


def shape() -> Extractor:
    """48-d code of the decolorised digit: knows shape, ignores colour."""
    return ColorMNISTExtractor(load(ShapeAutoencoder, "shape"), 48, "shape")


def colour() -> Extractor:
    """The background colour, 3-d in units of 0.2: knows colour, ignores shape."""
    return ColorMNISTExtractor(load(ColourNet, "colour"), 3, "colour")


def classifier(name: str) -> Extractor:
    """Penultimate layer of a digit classifier: what it ignores is to be found out."""
    network = load(DigitClassifier, name)
    return ColorMNISTExtractor(_Penultimate(network), network.head.in_features, name)
