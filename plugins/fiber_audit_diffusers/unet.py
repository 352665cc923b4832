"""UNet2DModel: unconditional pipelines (DDPM, DDIM, PNDM, score), on pixels or on latents."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from fiber_audit import UsageError

from .family import ConvolutionalFamily, Parts, Wish


class UNet(ConvolutionalFamily):
    """A UNet without text; one of classes needs a label, since it has no empty one."""

    takes = frozenset({"label"})

    def told(self, parts: Parts, wish: Wish) -> dict[str, Tensor]:
        """Its class, if it knows any."""
        count, label = self.network.config.num_class_embeds, wish.label
        if count is None and label is not None:
            raise UsageError(f"label = {label}: {parts.model} has no classes; leave it out.")
        if count is not None and (label is None or label >= count):
            raise UsageError(
                f"label = {label}: {parts.model} knows the classes 0 to {count - 1} and no empty "
                f"one; choose one."
            )
        return {} if count is None else {"class_labels": torch.tensor([label])}

    def call(self, x: Tensor, k: Tensor, told: Mapping[str, Tensor]) -> Tensor:
        """State, time, and its class."""
        output: Tensor = self.network(x, k, **told).sample
        return output
