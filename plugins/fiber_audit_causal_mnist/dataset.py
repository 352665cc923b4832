"""Coloured digits of one environment as queries."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from fiber_audit import DataError
from fiber_audit.contracts import Count, Dataset, Fraction, NonNegativeInt
from fiber_audit.sampling import derive_seed

from . import digits
from .colouring import SHAPE, coloured, labelled, painted


class CausalMNIST(Dataset):
    """The first n digits of one label, in the colours of an environment.

    Labels and colours are drawn once, by `seed`, for the whole set of digits.

    Args:
        n: how many.
        label: of all of them, 0 or 1: the prior of this label is the one to draw from.
        e: share of the digits whose colour disagrees with their label; .2 and .1 in training.
        path: an .npz of MNIST, whose test half is taken; "" takes the thousand of the wheel.
        seed: of labels and colours.
    """

    data_shape = SHAPE

    def __init__(
        self,
        n: Count = 64,
        label: Literal[0, 1] = 0,
        e: Fraction = 0.9,
        path: str = "",
        seed: NonNegativeInt = 0,
    ) -> None:
        found = digits.full(Path(path).expanduser(), train=False) if path else digits.held_out()
        self.seed, self.e = seed, e
        every = labelled(found.numbers, self._generator("labels"))
        colours = coloured(every, e, self._generator("colours"))
        places = (every == label).nonzero().flatten()
        if n > len(places):
            raise DataError(
                f"queries.n = {n}: {len(places)} digits have label {label}; ask for fewer."
            )
        self._pool = places
        self._images, self._labels = found.images, every
        self._places, self._colours = places[:n], colours[places[:n]]
        source = "mnist" if path else "held-out"
        self.ids = tuple(f"{source}-{place}" for place in self._places.tolist())
        self.labels = torch.full((n,), label, dtype=torch.int64)
        agreeing = float((self._colours == label).double().mean())
        self.facts = {
            "label": f"{label} of all {n}: a digit {'below 5' if label else 'from 5 on'}, or not, "
            "in one case of four",
            "colour": f"agrees with the label in {agreeing:.0%}",
        }

    def load(self, indices: Sequence[int]) -> Tensor:
        """Coloured digits (len(indices), 2, 14, 14)."""
        rows = [range(len(self))[i] for i in indices]
        return painted(self._images[self._places[rows]], self._colours[rows])

    def stamp(self, index: int) -> str:
        """The gray digit and its colour."""
        place, colour = int(self._places[index]), int(self._colours[index])
        gray = blake2b(self._images[place].numpy().tobytes(), digest_size=16)
        return f"{colour} {gray.hexdigest()}"

    def reference(self, n: int, generator: torch.Generator) -> Tensor:
        """N digits of the label, with colours of the environment drawn anew."""
        chosen = self._pool[torch.randint(len(self._pool), (n,), generator=generator)]
        return painted(self._images[chosen], coloured(self._labels[chosen], self.e, generator))

    def _generator(self, what: str) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self.seed, what))
