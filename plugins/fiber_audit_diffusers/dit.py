"""DiTTransformer2DModel: latents of ImageNet's classes, by default of none."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from fiber_audit import UsageError

from .family import Family, Parts, Wish


class DiT(Family):
    """A transformer on latents; the class after the last is the empty one."""

    takes = frozenset({"label", "guidance"})

    def told(self, parts: Parts, wish: Wish) -> dict[str, Tensor]:
        """The class."""
        null = int(self.network.config.num_embeds_ada_norm)
        label = null if wish.label is None else wish.label
        if label > null:
            raise UsageError(
                f"label = {label}: {parts.model} knows the classes 0 to {null - 1}; choose one, or "
                f"leave it out for none."
            )
        return {"class_labels": torch.tensor([null, label] if wish.doubled else [label])}

    def call(self, x: Tensor, k: Tensor, told: Mapping[str, Tensor]) -> Tensor:
        """State, time and class; the output's second half, if any, is a variance."""
        output: Tensor = self.network(x, timestep=k, **told).sample
        return output

    def unfit(self, size: tuple[int, int], factor: int) -> str | None:
        """It draws the size that it was trained on."""
        height, width = self.grid or (0, 0)
        own = (height * factor, width * factor)
        return None if size == own else f"{own} only"
