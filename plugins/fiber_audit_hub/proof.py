"""Is the preprocessing of tensors what the library does to a picture? Compared, not hoped for.

PIL rounds a picture to 8 bits after it was resized along one side, and again after the other; no
path with a gradient can. So the tensor path is computed in three ways: as it is, rounded once, and
rounded like PIL. The nearest of them to the library must agree with it; how far the unrounded one
then is, is what the rounding costs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from fiber_audit import UsageError

from .photograph import photograph

Path = Callable[[Tensor], Tensor]
PIXELS = 3e-3
"""Of the contrast of what the network sees. PIL's fixed-point ties cost up to 1.2e-3; a crop that
is off by one, a missing filter, a missing clamp or another mean cost 1e-2 and more."""
SIZES = ((1003, 677), (203, 301), (61, 47), (301, 203))
"""The first is there to be shrunk: a resize without a filter shows nowhere else. Then one on end,
and one that is enlarged, by no simple ratio, which would be full of ties. What the network makes of
a picture is asked of the last alone."""


@dataclass(frozen=True)
class Gap:
    """How far the tensor path is from the library's, relative to what the library gives.

    pixels: of what the network sees, the worst of all pictures; features: of the last one.
    Both with the rounding of the library. unrounded: features without it, as an audit has them.
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
    """Compare two paths on pictures; also the library's pixels and their features (1, d).

    Raises:
        UsageError: the features are not one row per picture.
    """
    pixels = 0.0
    with torch.no_grad():
        for size in SIZES:
            picture = photograph(*size)
            x, library = _unit(picture), library_path(picture)
            plain, clamped, *rounded = (_within(way, tensor_path, x) for way in _ways())
            best = min((plain, *rounded), key=lambda found: contrasted(found, library))
            loose = 0.0 if best is plain else contrasted(plain, clamped)  # floats keep no range
            pixels = max(pixels, contrasted(best, library), loose)
        if not plain.shape == best.shape == library.shape:
            return Gap(pixels, float("inf"), float("inf")), library, features(library)
        three = features(torch.cat([library, best, plain]))
        if len(three) != 3:
            raise UsageError(
                f"the layer gives {len(three)} rows of features for 3 pictures, as windows or "
                "heads do: choose another layer."
            )
        wanted, *found = three.split(1)
        return Gap(pixels, *(relative(rows, wanted) for rows in found)), library, wanted


def relative(found: Tensor, wanted: Tensor) -> float:
    """RMS difference over the RMS of what is wanted."""
    scale = wanted.double().norm().clamp(min=torch.finfo(torch.float32).tiny)
    return float(((found.double() - wanted.double()).norm() / scale).detach())


def contrasted(found: Tensor, wanted: Tensor) -> float:
    """RMS difference over the standard deviation of what is wanted; infinite for other shapes."""
    if found.shape != wanted.shape:
        return float("inf")
    return float((found - wanted).double().norm() / (wanted - wanted.mean()).double().norm())


def blank() -> Tensor:
    """An image of the odd size, to try a network with: (1, 3, h, w)."""
    return torch.zeros(1, 3, *reversed(SIZES[-1]))


def _unit(picture: Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def _within(way: AbstractContextManager[object], path: Path, x: Tensor) -> Tensor:
    with way:
        return path(x)


def _ways() -> tuple[AbstractContextManager[object], ...]:
    """As it is, clamped after a resize (which must change nothing), rounded once, and like PIL."""
    return nullcontext(), _Resized(_clamped), _Resized(_rounded), _Resized(_rounded, by_sides=True)


def _clamped(x: Tensor) -> Tensor:
    return x.clamp(0, 1)


def _rounded(x: Tensor) -> Tensor:
    return (x.clamp(0, 1) * 255 + 0.5).floor() / 255  # half goes up, as in PIL


class _Resized(TorchFunctionMode):
    """Within it something follows every resize; by sides: the width first, then the height."""

    def __init__(self, after: Path, by_sides: bool = False) -> None:
        super().__init__()
        self.after, self.by_sides = after, by_sides

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        named = {**dict(zip(("input", "size"), args, strict=False)), **(kwargs or {})}
        if func is not F.interpolate or not isinstance(named.get("size"), tuple | list):
            return func(*args, **(kwargs or {}))
        height, width = named["size"]
        if self.by_sides:
            rows = named["input"].shape[-2]
            named["input"] = self.after(func(**{**named, "size": (rows, width)}))
        return self.after(func(**{**named, "size": (height, width)}))
