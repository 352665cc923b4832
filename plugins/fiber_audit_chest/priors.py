"""The generative models: one flow on principal components, of usual chests or of both sides."""

from __future__ import annotations

from hashlib import sha256

import torch
from torch import Tensor, nn

from fiber_audit.contracts import Prediction, Prior
from fiber_audit.sampling import FlowSchedule

from .components import Components
from .velocity import Velocity
from .weights import SHIPPED


class ChestFlow(Prior):
    """Flow matching on normalised principal components of masked radiographs.

    side: 1 draws chests as they usually face, -1 mirrored ones, 0 both alike.
    """

    clip = (-8.0, 8.0)

    def __init__(self, parts: Components, network: Velocity, side: int) -> None:
        self.parts, self.network, self.side = parts, network, side
        self.state_shape = (len(parts.std),)
        self.schedule = FlowSchedule()
        self._turn = parts.parity if side < 0 else torch.ones_like(parts.parity)

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """From the velocity v = eps - x0: x0 = x_t - t v."""
        v = self.velocity(x_t, t)
        return Prediction(x_t - t[:, None] * v, x_t + (1 - t[:, None]) * v)

    def velocity(self, x_t: Tensor, t: Tensor) -> Tensor:
        """States (n, d) -> (n, d); of mirrored chests by the usual law, mirrored."""
        turn = self._turn.to(x_t.device)
        v: Tensor = self.network(x_t * turn, t, either=self.side == 0) * turn
        return v

    def decode(self, state: Tensor) -> Tensor:
        """Components (n, d) -> radiographs (n, 1, size, size)."""
        x: Tensor = self.parts(state)
        return x

    def encode(self, x: Tensor) -> Tensor:
        """Radiographs (n, 1, size, size) -> components (n, d)."""
        return self.parts.encode(x)


class ChestPrior(ChestFlow):
    """The shipped one: 192 components of 28 x 28 pixels."""

    def __init__(self, side: int) -> None:
        parts, network = Components(), Velocity()
        SHIPPED.load(nn.ModuleDict({"parts": parts, "network": network}), "prior")
        super().__init__(parts, network, side)
        self.weights_sha256 = sha256(f"{SHIPPED.digest('prior')} {side}".encode()).hexdigest()
        words = {0: "either way", 1: "the usual way", -1: "mirrored"}[side]
        self.facts = {
            "trained on": "MedMNIST's PneumoniaMNIST (CC BY 4.0), 4,690 radiographs, corners black",
            "chests face": words,
        }


class Both(ChestPrior):
    """Half of its chests face the usual way, half are mirrored: its law is exactly symmetric."""

    def __init__(self) -> None:
        super().__init__(0)


class Usual(ChestPrior):
    """Its chests face the usual way; with mirrored = true the other one, by the mirrored law.

    Args:
        mirrored: draw mirrored chests, for queries that look like situs inversus.
    """

    def __init__(self, mirrored: bool = False) -> None:
        super().__init__(-1 if mirrored else 1)
