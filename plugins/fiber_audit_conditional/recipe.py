"""What a user chose: the options that all generators have, and which of them make another one.

Method: arXiv 2603.21782, section 4.1 and appendix B. A generator G is trained on pairs of states z
and features h of data, by the loss of its density, plus

    lambda E sqrt(|phi(decode(G(zeta; h))) - h|^2 / d)                                     (1)

on fresh draws.
"""
# options are read from real annotations, so they are not postponed here

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from fiber_audit import UsageError
from fiber_audit.contracts import Count, Fraction, NonNegative, Positive
from fiber_audit.loading import placed

from .generator import Generator


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """How a generator is made; one for every extractor and autoencoder.

    path: folder of the fits, or "package:folder" for one in an installed package. start: fits of
    the same network whose weights the training begins with, "" for none: first the density, and
    then both, is cheaper than both from the beginning. fiber_weight: lambda of Eq. (1). warm_up:
    share of the training over which lambda grows to that. training_steps, batch: batches of the
    whole training, and their size. fiber_batch: rows of a batch that are drawn for Eq. (1).
    learning_rate: its peak. ema: how slowly the weights that are kept follow. clip_norm: of the
    gradient. jitter: deviation of the noise that is added to standardised states in training, so
    that their density exists. held_out: share of the data that stops the training in time.
    patience: looks at it, of 40 in all, without a better loss. checkpoint_minutes: how much work a
    crash may cost.
    """

    path: str
    start: str = ""
    fiber_weight: NonNegative = 1.0
    warm_up: Fraction = 0.1
    training_steps: Count = 5000
    batch: Count = 256
    fiber_batch: Count = 64
    learning_rate: Positive = 1e-3
    ema: Fraction = 0.999
    clip_norm: Positive = 1.0
    jitter: NonNegative = 0.01
    held_out: Fraction = 0.05
    patience: Count = 20
    checkpoint_minutes: Positive = 5.0

    drawing: ClassVar[frozenset[str]] = frozenset()
    """Options of a subclass that say how it draws, and not which generator is fitted."""

    def __post_init__(self) -> None:
        """Refuse numbers that are not finite.

        Raises:
            UsageError: one is not.
        """
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise UsageError(
                    f"{each.name} = {value}: a generator cannot be trained with it; give a finite "
                    f"number."
                )

    @abstractmethod
    def build(self, state_shape: tuple[int, ...], features: int) -> Generator:
        """A fresh generator of states given so many features."""

    @property
    def folder(self) -> Path:
        """Where the fits are: a folder, or "package:folder" for one in an installed package."""
        return placed(self.path)

    @property
    def identity(self) -> dict[str, Any]:
        """The options that make another generator, with its class, as JSON holds them.

        What `start` holds is part of what a generator is fitted to, and not its name.
        """
        aside = {"path", "start", "checkpoint_minutes", *self.drawing}
        names = [each.name for each in fields(self) if each.init and each.name not in aside]
        return {"generator": type(self).__name__, **{name: getattr(self, name) for name in names}}
