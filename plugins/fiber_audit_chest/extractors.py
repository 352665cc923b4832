"""The networks under audit, whose view of the side is known or to be found out."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from fiber_audit.contracts import Extractor
from fiber_audit.loading import digest_of

from .nets import CODE, Classifier, Code, Features, FlipAverage
from .radiographs import SHAPE
from .weights import SHIPPED


class ChestExtractor(Extractor):
    """A network on masked radiographs (n, 1, 28, 28) in [0, 1]; 32 features."""

    input_shape = SHAPE
    feature_size = CODE

    def __init__(self, network: nn.Module, weights: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.weights_sha256 = digest_of(
            {"network": network}, SHIPPED.digest(weights) if weights else ""
        )

    def features(self, x: Tensor) -> Tensor:
        """Radiographs -> (n, 32)."""
        features: Tensor = self.network(x)
        return features


class Contrastive(ChestExtractor):
    """A unit code that learned to know a picture again among 255 others (InfoNCE).

    Args:
        flips: Mirror images counted as the same picture in training, as is common in such
            training: then the code was taught not to tell them apart. False: its twin.
        seed: Of the training.
    """

    def __init__(self, flips: bool = True, seed: Literal[0, 1, 2] = 0) -> None:
        name = f"contrastive-{'flips' if flips else 'plain'}-{seed}"
        super().__init__(SHIPPED.load(Code(unit=True), name), name)


class Supervised(ChestExtractor):
    """Features of a classifier of pneumonia.

    Args:
        flips: Half of its training pictures were mirrored.
    """

    def __init__(self, flips: bool = True) -> None:
        name = f"classifier-{'flips' if flips else 'plain'}"
        super().__init__(Features(SHIPPED.load(Classifier(), name)), name)


class FlipAveraged(ChestExtractor):
    """The classifier's features averaged over a picture and its mirror image: blind by design."""

    def __init__(self) -> None:
        name = "classifier-flips"
        super().__init__(FlipAverage(SHIPPED.load(Classifier(), name)), name)


class Autoencoder(ChestExtractor):
    """A code that a picture can be read back from, so that the side must be in it."""

    def __init__(self) -> None:
        super().__init__(SHIPPED.load(Code(), "autoencoder"), "autoencoder")


class Untrained(ChestExtractor):
    """The same network with its first weights: it was taught nothing.

    Args:
        seed: Of the weights.
    """

    def __init__(self, seed: Literal[0, 1, 2] = 0) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(seed)
            network = Code()
        super().__init__(network, "")
