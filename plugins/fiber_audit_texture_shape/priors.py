"""The generative model: Gaussians of the components of shape, and of texture."""

from __future__ import annotations

from torch import Tensor, nn

from fiber_audit.contracts import Prediction, Prior
from fiber_audit.sampling import FlowSchedule

from .components import SHAPES, TEXTURES, Codec
from .velocity import Velocity
from .weights import SHIPPED


class TextureShapeFlow(Prior):
    """A shape, and independently a texture: 80 and 208 principal components.

    Both follow mixtures of Gaussians, so that the velocity of their flow is known exactly.
    """

    state_shape = (SHAPES + TEXTURES,)
    clip = (-8.0, 8.0)

    def __init__(self) -> None:
        self.codec, self.network = Codec(), Velocity()
        SHIPPED.load(nn.ModuleDict({"codec": self.codec, "network": self.network}), "prior")
        self.schedule = FlowSchedule()
        self.weights_sha256 = SHIPPED.digest("prior")
        self.facts = {
            "trained on": "silhouettes of MNIST's 60,000 training digits, filled with eight "
            "procedural textures",
        }

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """From the velocity v = eps - x0: x0 = x_t - t v."""
        v = self.network(x_t, t)
        return Prediction(x_t - t[:, None] * v, x_t + (1 - t[:, None]) * v)

    def decode(self, state: Tensor) -> Tensor:
        """Components (n, 288) -> pictures (n, 1, 32, 32)."""
        x: Tensor = self.codec(state)
        return x

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (n, 1, 32, 32) -> components (n, 288)."""
        return self.codec.encode(x)
