"""Reproduce the weights: ``python -m fiber_audit_texture_shape.train NAME... --data mnist.npz``.

NAME: networks, judges, prior, or all of them. mnist.npz has uint8 images Xt, Xe and labels Yt, Ye.
About nine minutes of one core, of which the prior takes a quarter of one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from torch import nn

from fiber_audit.fitting import Made, say_on_stderr, train_parts

from ..nets import HEADS, SHAPES, TEXTURES, Features
from ..shapes import Shapes, read
from ..textures import NAMES
from ..velocity import FORMS
from ..weights import SHIPPED
from . import recipes
from .accuracy import probes, shares_right
from .prior import train_prior

OF: dict[str, int] = {"shape": SHAPES, "texture": TEXTURES}


def networks(seen: Shapes, held: Shapes) -> Made:
    """The networks under audit; what linear probes read in their features is told, too."""
    for seed, taught in enumerate(HEADS):
        net = recipes.network(seen, taught, seed, say_on_stderr)
        heads = {name: size for name, size in OF.items() if taught in (name, "both", BLURRED)}
        told: dict[str, Any] = shares_right(net, held, heads)
        yield taught, net, told | {"probes": probes(Features(net), seen, held)}


def judges(seen: Shapes, held: Shapes) -> Made:
    """Two judges of the shape and two of the texture."""
    names: tuple[Literal["shape", "texture"], ...] = ("shape", "texture")
    numbers: tuple[Literal[1, 2], ...] = (1, 2)
    for of in names:
        for which in numbers:
            net = recipes.judge_of(seen, of, which, 10 + which, say_on_stderr)
            told = {"accuracy": shares_right(net, held, {of: OF[of]})[of]}
            yield f"judge-{of}-{which}", net, told


def prior(seen: Shapes, held: Shapes) -> Made:
    """The components and the mixtures."""
    codec, network = train_prior(seen, seed=0)
    told = {"gaussians": {"shape": FORMS, "texture": len(NAMES)}}
    yield "prior", nn.ModuleDict({"codec": codec, "network": network}), told


BLURRED = "both-blurred"
PARTS: dict[str, Callable[[Shapes, Shapes], Made]] = {
    "networks": networks,
    "judges": judges,
    "prior": prior,
}


def halves(path: Path) -> tuple[Shapes, Shapes]:
    """What networks are trained on, and what is held out."""
    return read(path), read(path, train=False)


if __name__ == "__main__":
    train_parts((__doc__ or "").splitlines()[0], PARTS, halves, SHIPPED.folder)
