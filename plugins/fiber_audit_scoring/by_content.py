"""Noise that belongs to an input: the same in any block, run and order."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

from fiber_audit.sampling import Noise, derive_seed


def noise_for(data: Tensor, purpose: str) -> Noise:
    """A stream for each row (n, ...), seeded by what is in it."""
    rows = data.detach().float().cpu().contiguous()
    return Noise([derive_seed(purpose, _content(row)) for row in rows])


def normal_for(data: Tensor, purpose: str, shape: Sequence[int]) -> Tensor:
    """Standard normal (n, *shape) float32 on the device of the data."""
    return noise_for(data, purpose).normal(shape).to(data.device)


def _content(row: Tensor) -> str:
    numbers = (row + 0.0).to(torch.float32).numpy()  # one zero: -0.0 + 0.0 is 0.0
    return blake2b(numbers.tobytes(), digest_size=16).hexdigest()
