"""The networks under audit. What each knows is known: that makes the benchmark."""

from __future__ import annotations

from torch import Tensor, nn

from fiber_audit.contracts import Extractor

from .nets import ColourNet, DigitClassifier, ShapeAutoencoder, pooled_classifier
from .weights import SHIPPED


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

    def __init__(self, network: nn.Module, feature_size: int, weights: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.feature_size = feature_size
        self.weights_sha256 = SHIPPED.digest(weights)

    def features(self, x: Tensor) -> Tensor:
        """Coloured digits -> features."""
        features: Tensor = self.network(x)
        return features


class Shape(ColorMNISTExtractor):
    """48-d code of the decolorised digit: knows shape, ignores colour."""

    def __init__(self) -> None:
        super().__init__(SHIPPED.load(ShapeAutoencoder(decoder=False), "shape"), 48, "shape")


class Colour(ColorMNISTExtractor):
    """The background colour, 3-d in units of 0.2: knows colour, ignores shape."""

    def __init__(self) -> None:
        super().__init__(SHIPPED.load(ColourNet(), "colour"), 3, "colour")


class Classifier(ColorMNISTExtractor):
    """Penultimate layer of a digit classifier: what it ignores is to be found out."""

    def __init__(self) -> None:
        network = SHIPPED.load(DigitClassifier(), "classifier")
        super().__init__(_Penultimate(network), network.head.in_features, "classifier")


class ClassifierB(ColorMNISTExtractor):
    """The same of another architecture: pooled convolutions, GELU, 96-d."""

    def __init__(self) -> None:
        network = SHIPPED.load(pooled_classifier(), "classifier-b")
        super().__init__(_Penultimate(network), network.head.in_features, "classifier-b")
