"""What the two Inceptions that Fréchet distances are computed with share.

They differ in weights and in four places of the graph: TF averages pools without the padding, takes
a maximum in the pool of the last block, has 1008 classes, and resizes without half-pixel centres.

Preprocessing of images in [0, 1]:

    tf, published            resize 255 x to 299 x 299 like TF1, then (x - 128) / 128
    torchvision, published   short edge to 342 with a filter, round to 8 bits, crop 299, 2 x - 1
    unit (both)              resize to 299 x 299, nothing else: the variant of arXiv 2603.21782

Options of both: for weights, seed, download and sha256 see `checkpoints.load`; resize, by default
as published, for "unit" bilinear; rounded, see images as a saved 8-bit file would show them.
"""

from __future__ import annotations

from torch import Tensor, nn

from fiber_audit import UsageError
from fiber_audit.contracts import Extractor

SIDE = 299


class Inception(Extractor):
    """Images (n, 3 or 1, h, w) in [0, 1] -> (n, d) float32, for either network."""

    def __init__(self, network: nn.Module, feature_size: int, digest: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.feature_size, self.weights_sha256 = feature_size, digest

    def features(self, x: Tensor) -> Tensor:
        """Pooled features; per sample, differentiable."""
        if x.ndim != 4 or x.shape[1] not in (1, 3):
            raise UsageError(
                f"an Inception sees images (n, 3 or 1, h, w), not {tuple(x.shape)}: "
                "measure this data with another extractor."
            )
        features: Tensor = self.network(x.expand(-1, 3, -1, -1))
        return features
