"""The generative models: one flow on principal components, told which way its chests face."""

from __future__ import annotations

from hashlib import sha256

import torch
from torch import Tensor, nn

from fiber_audit.contracts import Prediction, Prior
from fiber_audit.sampling import FlowSchedule

from .velocity import COMPONENTS, Components, Velocity
from .weights import SHIPPED


class ChestPrior(Prior):
    """Flow matching on 192 normalised principal components of masked radiographs.

    side: 1 draws chests as they usually face, -1 mirrored ones, 0 both alike.
    """

    state_shape = (COMPONENTS,)
    clip = (-8.0, 8.0)

    def __init__(self, side: float) -> None:
        self.parts, self.network = Components(), Velocity()
        SHIPPED.load(nn.ModuleDict({"parts": self.parts, "network": self.network}), "prior")
        self.schedule = FlowSchedule()
        self.side = side
        self.weights_sha256 = sha256(f"{SHIPPED.digest('prior')} {side}".encode()).hexdigest()
        words = {0.0: "either way", 1.0: "the usual way", -1.0: "mirrored"}[side]
        self.facts = {
            "trained on": "MedMNIST's PneumoniaMNIST (CC BY 4.0), 4,690 radiographs, corners black",
            "chests face": words,
        }

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """From the velocity v = eps - x0: x0 = x_t - t v."""
        v = self.velocity(x_t, t)
        return Prediction(x_t - t[:, None] * v, x_t + (1 - t[:, None]) * v)

    def velocity(self, x_t: Tensor, t: Tensor) -> Tensor:
        """States (n, 192) -> (n, 192)."""
        return self.network(x_t, t, torch.full_like(t, self.side))

    def decode(self, state: Tensor) -> Tensor:
        """Components (n, 192) -> radiographs (n, 1, 28, 28)."""
        x: Tensor = self.parts(state)
        return x

    def encode(self, x: Tensor) -> Tensor:
        """Radiographs (n, 1, 28, 28) -> components (n, 192); what is left is 1.4 % of the range."""
        return self.parts.encode(x)


class Both(ChestPrior):
    """Half of its chests face the usual way, half are mirrored: its law is exactly symmetric.

    The velocity at a state and that at its mirror image, mirrored back, are averaged; in one
    evaluation of twice the cost.
    """

    def __init__(self) -> None:
        super().__init__(0.0)

    def velocity(self, x_t: Tensor, t: Tensor) -> Tensor:
        """States (n, 192) -> (n, 192); of the mirrored states, the mirrored ones."""
        turn = self.parts.parity
        both = self.network(torch.cat([x_t, x_t * turn]), t.repeat(2), t.new_zeros(2 * len(t)))
        a, b = both.chunk(2)
        return (a + b * turn) / 2


class Usual(ChestPrior):
    """Its chests face the usual way; with mirrored = true the other one.

    Args:
        mirrored: draw mirrored chests, for queries that look like situs inversus.
    """

    def __init__(self, mirrored: bool = False) -> None:
        super().__init__(-1.0 if mirrored else 1.0)
