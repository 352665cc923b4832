"""Is the preprocessing of tensors what the library does to a picture? Compared, not hoped for.

PIL rounds a picture to 8 bits after it was resized along one side, and again after the other; no
path with a gradient can. So the tensor path is computed in three ways: as it is, rounded once, and
rounded like PIL. The nearest of them to the library must agree with it; how far the unrounded one
then is, is what the rounding costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from .photograph import photograph

Path = Callable[[Tensor], Tensor]
PIXELS = 3e-3
"""Of the contrast of what the network sees. PIL's fixed-point ties cost up to 1.3e-3; a crop that
is off by one, a missing filter or another mean cost 1e-2 and more."""
SIZES = ((301, 203), (1003, 677))
"""The second is there to be shrunk: a resize without a filter shows nowhere else."""


@dataclass(frozen=True)
class Gap:
    """How far the tensor path is from the library's, relative to what the library gives.

    pixels: of what the network sees, the worst of two pictures; features: of one. Both with the
    rounding of the library. unrounded: features without it, as an audit computes them.
    """

    pixels: float
    features: float
    unrounded: float

    def __str__(self) -> str:
        """For the report."""
        return (
            f"features {self.unrounded:.1e} from the library's own on a photograph; "
            f"{self.features:.1e}, and pixels {self.pixels:.1e}, but for its rounding to 8 bits"
        )


def gap_between(
    tensor_path: Path, library_path: Callable[[Image], Tensor], features: Path
) -> tuple[Gap, Tensor, Tensor]:
    """Compare two paths on two pictures; also the library's pixels and their features (1, d)."""
    worst, best = 0.0, ""
    for size in reversed(SIZES):  # the odd one last: its features are compared
        picture = photograph(*size)
        library = library_path(picture)
        found = {how: _run(tensor_path, unit_tensor(picture), mode()) for how, mode in WAYS.items()}
        gaps = {how: _of_pixels(pixels, library) for how, pixels in found.items()}
        best = min(gaps, key=lambda how: gaps[how])
        worst = max(worst, gaps[best])
    with torch.no_grad():
        wanted = features(library)
        gap, unrounded = (relative(features(found[how]), wanted) for how in (best, "no"))
    return Gap(worst, gap, unrounded), library, wanted


def unit_tensor(picture: Image) -> Tensor:
    """An RGB picture as data space has it: (1, 3, h, w) float32 in [0, 1]."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def relative(found: Tensor, wanted: Tensor) -> float:
    """RMS difference over the RMS of what is wanted."""
    scale = wanted.double().norm().clamp(min=torch.finfo(torch.float32).tiny)
    return float((found.double() - wanted.double()).norm() / scale)


def _of_pixels(found: Tensor, wanted: Tensor) -> float:
    if found.shape != wanted.shape:
        return float("inf")
    contrast = (wanted - wanted.mean()).double().norm()
    return float((found - wanted).double().norm() / contrast)


def _run(path: Path, x: Tensor, mode: AbstractContextManager[object]) -> Tensor:
    with torch.no_grad(), mode:
        return path(x)


class _Rounded(TorchFunctionMode):
    """Every resize within it rounds to 256 levels, once or like PIL after each side."""

    def __init__(self, like_pil: bool) -> None:
        super().__init__()
        self.like_pil = like_pil

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is not F.interpolate:
            return func(*args, **kwargs)
        named = {**dict(zip(("input", "size"), args, strict=False)), **kwargs}
        x, size = named.pop("input"), named.pop("size", None)
        if size is None or isinstance(size, int):
            return func(*args, **kwargs)
        if self.like_pil:
            x = _eight_bit(func(x, size=[x.shape[-2], size[1]], **named))
        return _eight_bit(func(x, size=list(size), **named))


def _eight_bit(x: Tensor) -> Tensor:
    return (x.clamp(0, 1) * 255).round() / 255


WAYS: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "no": nullcontext,
    "once": lambda: _Rounded(like_pil=False),
    "like PIL": lambda: _Rounded(like_pil=True),
}
