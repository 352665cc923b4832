"""Coloured digits as queries, and the data distribution itself as reference."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from fiber_audit import DataError, derive_seed
from fiber_audit.contracts import Dataset, Queries

from . import digits
from .colouring import colorize, sample_colours


class ColorMNIST(Dataset):
    """The first n digits of a split, each in its own colour.

    split "held-out" is the thousand digits of the wheel; "test" and "train" need `path`, an .npz of
    MNIST or a torchvision MNIST folder. The colour of a query depends on seed and its number only.
    """

    data_shape = (3, 28, 28)

    def __init__(
        self, n: int = 16, split: str = "held-out", path: str = "", seed: int = 4321
    ) -> None:
        if split == "held-out":
            self.digits = digits.held_out()
        elif not path:
            raise DataError(
                f"queries.split = {split!r}: needs queries.path, an .npz of MNIST or a folder."
            )
        else:
            self.digits = digits.full(Path(path), train=split == "train")
        if n > len(self.digits):
            raise DataError(
                f"queries.n = {n}: split {split!r} has {len(self.digits)} digits; ask for fewer."
            )
        self.n, self.split, self.seed = n, split, seed

    def queries(self) -> Queries:
        """N coloured digits with ids such as ``held-out-7``."""
        colours = torch.cat([sample_colours(1, self._generator(i)) for i in range(self.n)])
        return Queries(
            colorize(self.digits.images[: self.n], colours),
            tuple(f"{self.split}-{i}" for i in range(self.n)),
            self.digits.labels[: self.n],
        )

    def reference(self, n: int, generator: torch.Generator) -> Tensor:
        """N fresh samples: a random digit of the split in a random colour."""
        index = torch.randint(len(self.digits), (n,), generator=generator)
        return colorize(self.digits.images[index], sample_colours(n, generator))

    def _generator(self, number: int) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self.seed, "colour", number))
