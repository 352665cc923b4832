"""Radiographs of MedMNIST as queries: corners black, facing as they are told to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from fiber_audit import DataError
from fiber_audit.contracts import Count, Dataset, NonNegativeInt
from fiber_audit.sampling import derive_seed

from .radiographs import CORNER, SHAPE, Split, masked, mirrored, read

Orientation = Literal["real", "mirrored", "both", "half"]


class ChestRadiographs(Dataset):
    """Radiographs of PneumoniaMNIST, 28 x 28, without side markers; ids such as test-17.

    Args:
        path: MedMNIST's pneumoniamnist.npz, which the package `medmnist` downloads.
        n: How many queries.
        orientation: "real" as they were taken, "mirrored", "both" (each picture, then its mirror
            image), or "half" (every second one mirrored). A mirrored one has an id of its own.
        split: Which; the shipped networks have seen "train".
        seed: Which pictures, and their order.
    """

    data_shape = SHAPE

    def __init__(
        self,
        path: str,
        n: Count = 32,
        orientation: Orientation = "real",
        split: Split = "test",
        seed: NonNegativeInt = 0,
    ) -> None:
        images, labels = read(Path(path).expanduser(), split)
        count = len(images)
        order = sorted(range(count), key=lambda i: derive_seed(seed, f"{split}-{i}"))
        turned = [(i, turn) for place, i in enumerate(order) for turn in _turns(orientation, place)]
        if n > len(turned):
            raise DataError(f"queries.n = {n}: {path} has {len(turned)} such; ask for fewer.")
        self._chosen, self._images = turned[:n], images
        self._others = order[len({i for i, _ in self._chosen}) :]
        self._orientation: Orientation = orientation
        self.ids = tuple(f"{split}-{i}{'-mirrored' if turn else ''}" for i, turn in self._chosen)
        self.labels = labels[[i for i, _ in self._chosen]]
        self.facts = {
            "pictures": f"{n} of {count} of pneumoniamnist ({split}), {orientation}",
            "corners": f"{CORNER} x {CORNER} pixels black",
        }

    def load(self, indices: Sequence[int]) -> Tensor:
        """Radiographs (len(indices), 1, 28, 28) in [0, 1]."""
        return self._turned([self._chosen[i] for i in indices])

    def reference(self, n: int, generator: torch.Generator) -> Tensor | None:
        """N other pictures of the split, turned likewise; None unless there are so many."""
        if len(self._others) < max(n, len(self)):
            return None
        places = torch.randperm(len(self._others), generator=generator)[:n].tolist()
        turns = [_turns(self._orientation, place) for place in range(n)]
        return self._turned(
            [
                (self._others[i], turn[place % len(turn)])
                for place, (i, turn) in enumerate(zip(places, turns, strict=True))
            ]
        )

    def _turned(self, chosen: Sequence[tuple[int, bool]]) -> Tensor:
        x = masked(self._images[[i for i, _ in chosen]].float() / 255)
        turn = torch.tensor([turn for _, turn in chosen], dtype=torch.bool)
        return torch.where(turn[:, None, None, None], mirrored(x), x)


def _turns(orientation: Orientation, place: int) -> tuple[bool, ...]:
    """The ways in which the picture at a place is shown: False as it is, True mirrored."""
    every: dict[Orientation, tuple[bool, ...]] = {
        "real": (False,),
        "mirrored": (True,),
        "both": (False, True),
        "half": (place % 2 == 1,),
    }
    return every[orientation]
