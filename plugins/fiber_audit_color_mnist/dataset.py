"""Coloured digits as queries, and the data distribution itself as reference."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from fiber_audit import DataError
from fiber_audit.contracts import Count, Dataset, NonNegativeInt
from fiber_audit.sampling import derive_seed

from . import digits
from .colouring import colorize, sample_colours


class ColorMNIST(Dataset):
    """The first n digits of a split, each in its own colour; ids such as ``held-out-7``.

    split "held-out" is the thousand digits of the wheel; "test" and "train" need `path`, an .npz of
    MNIST or a torchvision MNIST folder. The colour of a query depends on seed and its number only.
    copies: how often each digit appears, every time in another colour; the whole split comes before
    its next copy.
    """

    data_shape = (3, 28, 28)

    def __init__(
        self,
        n: Count = 16,
        split: Literal["held-out", "test", "train"] = "held-out",
        path: str = "",
        seed: NonNegativeInt = 4321,
        copies: Count = 1,
    ) -> None:
        if split == "held-out":
            self.digits = digits.held_out()
        elif not path:
            raise DataError(
                f"queries.split = {split!r}: needs queries.path, an .npz of MNIST or a folder."
            )
        else:
            self.digits = digits.full(Path(path), train=split == "train")
        if n > copies * len(self.digits):
            raise DataError(
                f"queries.n = {n}: split {split!r} has {len(self.digits)} digits; ask for fewer, "
                f"or for more copies."
            )
        self.seed = seed
        self.ids = tuple(f"{split}-{i}" for i in range(n))
        self.labels = self.digits.labels.repeat(copies)[:n]

    def load(self, indices: Sequence[int]) -> Tensor:
        """Coloured digits (len(indices), 3, 28, 28); only these are coloured."""
        numbers = [range(len(self))[i] for i in indices]
        if not numbers:
            return torch.empty(0, *self.data_shape)
        colours = torch.cat([sample_colours(1, self._generator(i)) for i in numbers])
        digits = [number % len(self.digits) for number in numbers]
        return colorize(self.digits.images[digits], colours)

    def stamp(self, index: int) -> str:
        """The gray digit and what its colour comes from."""
        number = range(len(self))[index]
        digit = self.digits.images[number % len(self.digits)].numpy().tobytes()
        return f"{self.seed} {number} {blake2b(digit, digest_size=16).hexdigest()}"

    def reference(self, n: int, generator: torch.Generator) -> Tensor:
        """N fresh samples: a random digit of the split in a random colour."""
        index = torch.randint(len(self.digits), (n,), generator=generator)
        return colorize(self.digits.images[index], sample_colours(n, generator))

    def _generator(self, number: int) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self.seed, "colour", number))
