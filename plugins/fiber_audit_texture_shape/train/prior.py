"""The prior: flow matching on components of shapes, and the mixture of those of textures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fiber_audit.fitting import Say, train_averaged

from ..components import Codec
from ..shapes import Shapes
from ..textures import NAMES, fields
from ..velocity import Flow, Velocity

BATCH, STEPS, RATE = 128, 8_000, 1e-3
Codes = dict[str, tuple[Tensor, Tensor]]
MEASURED, BANK = 20_000, 40_000
"""Pictures that components are measured on, and textures that their mixture is."""


def errors(net: Flow, z: Tensor, weight: Tensor, g: torch.Generator) -> Tensor:
    """(n,): squared error of the velocity, at middle times more often than at others."""
    noise = torch.randn(z.shape, generator=g)
    t = torch.randn(len(z), generator=g).mul(1.2).sigmoid()
    z_t = torch.lerp(z, noise, t[:, None])
    return ((net(z_t, t) - (noise - z)).square() * weight).mean(1)


def measured(shapes: Shapes) -> Codec:
    """The components of shapes and of fresh textures."""
    codec = Codec()
    codec.shape.measure(shapes.masks[:MEASURED])
    g = torch.Generator().manual_seed(0)
    codec.texture.measure(fields(torch.randint(len(NAMES), (MEASURED,), generator=g), g))
    return codec


def train_prior(
    shapes: Shapes,
    held_out: Shapes,
    seed: int,
    say: Say,
    steps: int = STEPS,
    watch: Callable[[Codec, Velocity], None] = lambda *_: None,
) -> tuple[Codec, Velocity]:
    """The components, and the network, averaged; watch sees both on the way.

    Coarse components count for more in the error than fine ones, by the root of their deviation.
    """
    codec = measured(shapes)
    weight = codec.shape.std.sqrt() / codec.shape.std.sqrt().mean()
    seen, held = codes_of(codec, shapes, BANK, seed), codes_of(codec, held_out, 1, seed)
    whole = Velocity().eval()
    whole.texture.measure(*seen["texture"])
    z, z_held = seen["shape"][0], held["shape"][0]

    def build() -> Flow:
        net = Velocity().shape
        net.mixture.measure(*seen["shape"])
        return net

    def loss(net: Flow, g: torch.Generator) -> Tensor:
        index = torch.randint(len(z), (BATCH,), generator=g)
        return errors(net, z[index], weight, g).mean()

    @torch.no_grad()
    def check(net: Flow) -> str:
        whole.shape = net
        watch(codec, whole)
        a, b = (
            errors(net, some.repeat(4, 1), weight, torch.Generator().manual_seed(1)).mean()
            for some in (z[: len(z_held)], z_held)
        )
        return f"seen {a:.4f} held out {b:.4f}"

    whole.shape = train_averaged(build, loss, steps, say, rate=RATE, seed=seed, check=check)
    return codec, whole


def codes_of(codec: Codec, shapes: Shapes, n: int, seed: int) -> Codes:
    """Components and digits of all shapes, components and kinds of n fresh textures."""
    g = torch.Generator().manual_seed(seed)
    kinds = torch.randint(len(NAMES), (n,), generator=g)
    parts = [codec.texture.encode(fields(part, g)) for part in kinds.split(500)]
    masks = [codec.shape.encode(part) for part in shapes.masks.split(1000)]
    return {"shape": (torch.cat(masks), shapes.labels), "texture": (torch.cat(parts), kinds)}
