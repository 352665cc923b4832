"""The networks under audit: what each was taught is known."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from fiber_audit.contracts import Extractor
from fiber_audit.loading import digest_of

from .nets import FEATURES, HEADS, Features, Net, Taught
from .rendering import SHAPE
from .weights import SHIPPED


class TextureShapeNet(Extractor):
    """A small convolutional network that was taught the shape, the texture, or both.

    Args:
        taught: "shape", "texture", "both" (two heads), or "both-blurred": the same, of pictures
            that are blurred by 3 pixels first, also in an audit.
        features: "penultimate" is 32 numbers before the heads; "logits" is what the heads say, 10
            of the shape and 8 of the texture.
    """

    input_shape = SHAPE

    def __init__(
        self, taught: Taught = "shape", features: Literal["penultimate", "logits"] = "penultimate"
    ) -> None:
        net = SHIPPED.load(Net(taught), taught)
        logits = features == "logits"
        self.network = (net if logits else Features(net)).eval().requires_grad_(False)
        self.feature_size = HEADS[taught] if logits else FEATURES
        self.weights_sha256 = digest_of({"network": self.network}, SHIPPED.digest(taught), features)
        known = SHIPPED.facts(taught)
        self.facts = {
            f"right on held-out {name}s": f"{known[name]:.1%}"
            for name in ("shape", "texture")
            if name in known
        }

    def features(self, x: Tensor) -> Tensor:
        """Pictures (n, 1, 32, 32) -> (n, 32), or logits."""
        found: Tensor = self.network(x)
        return found
