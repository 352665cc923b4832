"""Attribute: a property of an input that people have a name for, and the probe that reads it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Attribute(ABC):
    """What may be kept or lost along a fiber: the colour, the digit, the side of the heart.

    A probe may be a formula of the pixels, or a network; an independent one, not the extractor
    under audit, whose blindness it would share.
    """

    kind: Literal["number", "class"] = "number"
    """A number differs by how much; a class differs or not."""
    unit: str = ""
    accuracy: float | None = None
    """How well a learned probe reads it on data that it was not fitted to: the share that is right
    of a class, R^2 of a number. None: a definition, which is right by itself."""
    chance: float = 0.0
    """That share for a guess that does not look; 0 for numbers."""
    weights_sha256: str = ""
    """Digest of everything learned; part of the identity of what is observed."""
    facts: Mapping[str, str] = {}
    """What a reader of the report should know of it: name -> a few words."""

    @abstractmethod
    def read(self, x: Tensor) -> Tensor:
        """Data space (n, ...) -> a number (n,) or (n, m) float, or a class (n,) int64.

        Row by row, and the same at every call.
        """

    @property
    def skill(self) -> float:
        """(accuracy - chance) / (1 - chance), 1 for a definition; no less than 0."""
        if self.accuracy is None:
            return 1.0
        if self.chance >= 1:
            return 0.0
        return max(0.0, (self.accuracy - self.chance) / (1 - self.chance))

    def to(self, device: torch.device | str) -> Self:
        """Move the probe; returns self. By default every module among its attributes is moved."""
        from torch import nn

        for value in vars(self).values():
            if isinstance(value, nn.Module):
                value.to(device)
        return self
