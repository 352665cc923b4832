"""Randomness is an argument: one generator per draw. Nothing else seeds anything."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor


def derive_seed(*parts: object) -> int:
    """A 63-bit seed from a root seed and names, stable across machines and versions.

    >>> derive_seed(0, "query-7", 3)
    4751619156687403411
    """
    data = "\x1f".join(str(part) for part in parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big") >> 1


class Noise:
    """Standard normal noise for n draws, from n generators on the CPU.

    A row's stream does not depend on the other rows, so a draw is the same in any batch. Noise for
    a side purpose comes from a `child`, so that asking for it does not shift the main stream.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self.seeds = tuple(seeds)
        self._generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def __len__(self) -> int:
        return len(self.seeds)

    def normal(self, shape: Sequence[int], like: Tensor | None = None) -> Tensor:
        """(n, *shape) float32, on the device and in the type of `like` if given."""
        rows = [torch.randn(tuple(shape), generator=g) for g in self._generators]
        drawn = torch.stack(rows)
        return drawn if like is None else drawn.to(like)

    def select(self, rows: Tensor) -> Noise:
        """The generators of some rows (index or mask): shared, not copied."""
        index = rows.nonzero().flatten() if rows.dtype == torch.bool else rows
        part = object.__new__(Noise)
        part.seeds = tuple(self.seeds[i] for i in index.tolist())
        part._generators = [self._generators[i] for i in index.tolist()]
        return part

    def child(self, purpose: str) -> Noise:
        """Independent generators for a side purpose."""
        return Noise([derive_seed(seed, purpose) for seed in self.seeds])
