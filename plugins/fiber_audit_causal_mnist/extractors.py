"""The networks under audit: one architecture, one training set, two objectives."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from fiber_audit.contracts import Extractor
from fiber_audit.loading import digest_of

from .colouring import SHAPE
from .nets import Classifier
from .weights import SHIPPED


class CausalExtractor(Extractor):
    """Coloured digits (n, 2, 14, 14) -> the logit of label 1, (n, 1)."""

    weights: ClassVar[str]
    input_shape = SHAPE
    feature_size = 1

    def __init__(self) -> None:
        self.network = SHIPPED.load(Classifier(), self.weights)
        self.weights_sha256 = digest_of({"network": self.network})

    def features(self, x: Tensor) -> Tensor:
        """Coloured digits -> logits."""
        logits: Tensor = self.network(x)
        return logits


class ERM(CausalExtractor):
    """Trained for the average over both environments: free to use the colour."""

    weights = "erm"


class IRM(CausalExtractor):
    """Trained by invariant risk minimisation: punished for what changes between environments."""

    weights = "irm"
