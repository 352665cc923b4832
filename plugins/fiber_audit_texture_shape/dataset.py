"""Digits filled with textures, as queries and as fresh samples of the data distribution."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

import torch
from torch import Tensor

from fiber_audit import DataError
from fiber_audit.contracts import Count, Dataset, NonNegativeInt
from fiber_audit.sampling import derive_seed

from .rendering import SHAPE, rendered, some
from .shapes import held_out
from .textures import NAMES, fields


class TextureShape(Dataset):
    """Held-out digits, each filled with one of eight textures; ids such as 12-bricks.

    Shape and texture are independent, so that no picture's texture follows from its shape.

    Args:
        n: How many queries.
        label: What a picture's label is: the "shape", 0 to 9, or the "texture", 0 to 7.
        seed: Which digits and textures.
    """

    data_shape = SHAPE

    def __init__(
        self,
        n: Count = 32,
        label: Literal["shape", "texture"] = "shape",
        seed: NonNegativeInt = 0,
    ) -> None:
        self.shapes = held_out()
        count = len(self.shapes)
        if n > count:
            raise DataError(f"queries.n = {n}: {count} digits are shipped; ask for fewer.")
        self.seed = seed
        self.digits = sorted(range(count), key=lambda i: derive_seed(seed, "shape", i))[:n]
        self.kinds = torch.tensor([derive_seed(seed, "kind", i) % len(NAMES) for i in self.digits])
        self.ids = tuple(
            f"{i}-{NAMES[kind].replace(' ', '-')}"
            for i, kind in zip(self.digits, self.kinds.tolist(), strict=True)
        )
        self.labels = self.shapes.labels[self.digits] if label == "shape" else self.kinds
        self.facts = {
            "pictures": f"{n} of {count} digits of MNIST's test half, each in one of "
            f"{len(NAMES)} textures",
            "label": label,
        }

    def load(self, indices: Sequence[int]) -> Tensor:
        """Pictures (len(indices), 1, 32, 32); only these are rendered."""
        if not len(indices):
            return torch.empty(0, *self.data_shape)
        return torch.cat([self._picture(range(len(self))[i]) for i in indices])

    def stamp(self, index: int) -> str:
        """The silhouette, the kind of texture, and what its phase comes from."""
        place = range(len(self))[index]
        mask = self.shapes.masks[self.digits[place]].numpy().tobytes()
        return f"{self.seed} {self.ids[place]} {blake2b(mask, digest_size=16).hexdigest()}"

    def reference(self, n: int, generator: torch.Generator) -> Tensor:
        """N fresh samples: a random one of the held-out digits in a random texture."""
        return some(self.shapes, n, generator)[0]

    def _picture(self, place: int) -> Tensor:
        digit = self.digits[place]
        g = torch.Generator().manual_seed(derive_seed(self.seed, "texture", digit))
        return rendered(self.shapes.masks[[digit]], fields(self.kinds[[place]], g))
