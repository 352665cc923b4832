"""A plugin of one file: two networks that no one trained, to hold the invariance index against."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fiber_audit import hookimpl
from fiber_audit.contracts import Extractor, Offers


class Pixels(Extractor):
    """`pixels`: the identity; every attribute is in its features."""

    feature_size = 3 * 28 * 28
    input_shape = (3, 28, 28)

    def __init__(self) -> None:
        self.network = nn.Flatten().eval()

    def features(self, x: Tensor) -> Tensor:
        """Images (n, 3, 28, 28) -> (n, 2352)."""
        return self.network(x)


class RandomNetwork(Extractor):
    """`random-network`: three convolutions as they were initialised, pooled to 32 numbers."""

    feature_size = 32
    input_shape = (3, 28, 28)

    def __init__(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            layers = [
                nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.SiLU())
                for a, b in ((3, 16), (16, 32), (32, 32))
            ]
            self.network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.network.eval().requires_grad_(False)
        self.weights_sha256 = "0" * 63 + "1"

    def features(self, x: Tensor) -> Tensor:
        """Images (n, 3, 28, 28) -> (n, 32)."""
        return self.network(x)


@hookimpl
def fiber_audit_extractors() -> Offers:
    """Offer both."""
    return {"pixels": Pixels, "random-network": RandomNetwork}
