"""The best weights so far on held-out data, and when there is no hope of better ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fiber_audit import DivergedError
from fiber_audit.fitting import Training

LOOKS = 40
"""Looks at the held-out data in a whole training."""


class Best:
    """What early stopping knows.

    patience: looks without a better one that are enough. fiber_weight: lambda of the loss that is
    compared. losses: of density and fiber at the best look. since: looks after it.
    """

    def __init__(self, patience: int, fiber_weight: float) -> None:
        self.patience, self.fiber_weight = patience, fiber_weight
        self.losses, self.since, self.step = (math.inf, math.inf), 0, -1
        self._weights: dict[str, Tensor] = {}

    @property
    def enough(self) -> bool:
        """Whether to stop."""
        return self.since >= self.patience

    @property
    def facts(self) -> dict[str, Any]:
        """For the record and the card, as JSON holds them."""
        density, fiber = (value if math.isfinite(value) else None for value in self.losses)
        return {"held-out loss": density, "held-out fiber loss": fiber, "best step": self.step}

    def look(
        self, network: nn.Module, losses: tuple[float, float], step: int, say: Callable[[str], None]
    ) -> None:
        """Keep the weights if they are better than all before; what is not finite never is."""
        better = self._score(losses) < self._score(self.losses)
        self.since = 0 if better else self.since + 1
        if better:
            self.losses, self.step = losses, step
            self._weights = {n: t.detach().clone() for n, t in network.state_dict().items()}
        mark = "" if better else f" (best {self._score(self.losses):.4f})"
        say(f"held out: density {losses[0]:.4f}, fiber {losses[1]:.4f}{mark}")

    def give(self, network: nn.Module, state: Training) -> None:
        """Load the best weights into a network.

        Raises:
            DivergedError: no look found finite losses.
        """
        if not self._weights:
            raise DivergedError(
                f"{state.regime.path}: no loss on held-out data was finite in {state.step} steps; "
                f"{state.regime.advice}, and give it a path of its own."
            )
        network.load_state_dict(self._weights)

    def tensors(self) -> dict[str, Tensor]:
        """All of it, for a checkpoint."""
        numbers = torch.tensor([*self.losses, self.since, self.step], dtype=torch.float64)
        return {"numbers": numbers, **{f"best.{n}": t for n, t in self._weights.items()}}

    def restore(self, also: Mapping[str, Tensor]) -> None:
        """Back from a checkpoint."""
        density, fiber, since, step = also["numbers"].tolist()
        self.losses, self.since, self.step = (density, fiber), int(since), int(step)
        best = {n.removeprefix("best."): t for n, t in also.items() if n.startswith("best.")}
        self._weights = best

    def _score(self, losses: tuple[float, float]) -> float:
        score = losses[0] + (self.fiber_weight * losses[1] if self.fiber_weight else 0.0)
        return score if math.isfinite(score) else math.inf
