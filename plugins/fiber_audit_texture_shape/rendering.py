"""Pictures: a shape filled with a texture over a plain background."""

from __future__ import annotations

import torch
from torch import Tensor

from .shapes import EDGE, Shapes, cut
from .textures import NAMES, SIZE, fields, inked

SHAPE = (1, SIZE, SIZE)


def rendered(masks: Tensor, field: Tensor, edge: float = EDGE) -> Tensor:
    """Soft masks and fields, (n, 1, 32, 32) each -> pictures (n, 1, 32, 32) in [0, 1]."""
    return cut(masks, edge) * inked(field)


def some(shapes: Shapes, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Fresh pictures (n, 1, 32, 32), their shapes and their textures, (n,) int64 each.

    Shape and texture are drawn independently: in seven of eight pictures a texture is not that
    which any rule would give to the shape.
    """
    index = torch.randint(len(shapes), (n,), generator=generator)
    kinds = torch.randint(len(NAMES), (n,), generator=generator)
    x = rendered(shapes.masks[index], fields(kinds, generator))
    return x, shapes.labels[index], kinds
