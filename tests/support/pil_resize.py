"""PIL's resize of 8-bit pictures, number by number, on tensors.

PIL filters each side by itself, with weights of 22 binary digits, and rounds to 8 bits after each
side. With this in place of torch's, a tensor path must give what the library gives, exactly: what
is between them without it is PIL's rounding, and nothing else.

Source: Pillow, src/libImaging/Resample.c.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

BITS = 22
"""Binary digits of a weight."""


def triangle(x: Tensor) -> Tensor:
    """PIL's BILINEAR, of reach 1."""
    return (1 - x.abs()).clamp(min=0)


def cubic(x: Tensor) -> Tensor:
    """PIL's BICUBIC, of reach 2: Keys' kernel with a = -1/2."""
    x = x.abs()
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


FILTERS: Mapping[str, tuple[float, Callable[[Tensor], Tensor]]] = {
    "bilinear": (1.0, triangle),
    "bicubic": (2.0, cubic),
}
"""Mode, as torch names it -> reach and kernel."""


class LikePIL(TorchFunctionMode):
    """Within it every resize of torch is PIL's."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not F.interpolate:
            return func(*args, **(kwargs or {}))
        named = {**dict(zip(("input", "size"), args, strict=False)), **(kwargs or {})}
        assert named["antialias"]
        return pil_resized(named["input"], tuple(named["size"]), named["mode"])


def pil_resized(x: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """(..., h, w) in [0, 1], of 256 levels -> (..., *size), of 256 levels."""
    x = (x * 255).round().double()
    x = _along_last(x, size[1], mode)
    x = _along_last(x.transpose(-1, -2), size[0], mode).transpose(-1, -2)
    return (x / 255).float()


def _along_last(x: Tensor, new: int, mode: str) -> Tensor:
    if x.shape[-1] == new:
        return x
    sums = x @ weights(x.shape[-1], new, mode).to(x).T  # whole numbers below 2^53: exact
    return ((sums + 2 ** (BITS - 1)) / 2**BITS).floor().clamp(0, 255)


def weights(old: int, new: int, mode: str) -> Tensor:
    """(new, old) whole numbers; each row sums to about 2^22."""
    reach, kernel = FILTERS[mode]
    wide = max(old / new, 1.0)
    centre = (torch.arange(new, dtype=torch.float64)[:, None] + 0.5) * (old / new)
    place = torch.arange(old, dtype=torch.float64)
    first = (centre - reach * wide + 0.5).trunc().clamp(min=0)
    last = (centre + reach * wide + 0.5).trunc().clamp(max=old)
    found = kernel((place - centre + 0.5) * (1 / wide)) * ((place >= first) & (place < last))
    found = found / found.sum(dim=1, keepdim=True) * 2**BITS
    return (found + 0.5 * found.sign()).trunc()
