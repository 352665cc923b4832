"""The prior: components of shapes and of textures, and the mixtures of Gaussians of both."""

from __future__ import annotations

import torch
from torch import Tensor

from ..components import Codec
from ..shapes import Shapes
from ..textures import NAMES, fields
from ..velocity import FORMS, Velocity
from .forms import forms_of

Codes = dict[str, tuple[Tensor, Tensor]]
MEASURED, BANK = 20_000, 40_000
"""Pictures that components are measured on, and textures that their mixture is."""


def measured(shapes: Shapes) -> Codec:
    """The components of shapes and of fresh textures."""
    codec = Codec()
    codec.shape.measure(shapes.masks[:: max(1, len(shapes) // MEASURED)])  # a file may be sorted
    g = torch.Generator().manual_seed(0)
    codec.texture.measure(fields(torch.randint(len(NAMES), (MEASURED,), generator=g), g))
    return codec


def train_prior(shapes: Shapes, seed: int) -> tuple[Codec, Velocity]:
    """The components, and the mixtures; silhouettes are told apart in pixels."""
    codec = measured(shapes)
    velocity = Velocity()
    codes = codes_of(codec, shapes, BANK, seed)
    z, digits = codes["shape"]
    velocity.shape.measure(z, forms_of(z * codec.shape.std, digits, FORMS))
    velocity.texture.measure(*codes["texture"])
    return codec, velocity.eval()


def codes_of(codec: Codec, shapes: Shapes, n: int, seed: int) -> Codes:
    """Components and digits of all shapes, components and kinds of n fresh textures."""
    g = torch.Generator().manual_seed(seed)
    kinds = torch.randint(len(NAMES), (n,), generator=g)
    parts = [codec.texture.encode(fields(part, g)) for part in kinds.split(500)]
    masks = [codec.shape.encode(part) for part in shapes.masks.split(1000)]
    return {"shape": (torch.cat(masks), shapes.labels), "texture": (torch.cat(parts), kinds)}
