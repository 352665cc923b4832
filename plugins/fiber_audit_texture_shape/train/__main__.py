"""Reproduce the weights: ``python -m fiber_audit_texture_shape.train NAME... --data mnist.npz``.

NAME: networks, judges, prior, or all of them. mnist.npz has uint8 images Xt, Xe and labels Yt, Ye.
About 12 minutes of one core, of which the prior takes four.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import torch
import typer
from torch import nn

from ..nets import HEADS, SHAPES, TEXTURES, Features
from ..shapes import Shapes, held_out, read
from ..weights import FOLDER, store
from . import recipes
from .accuracy import probes, shares_right
from .prior import STEPS, train_prior

Made = Iterator[tuple[str, nn.Module, dict[str, Any]]]
OF: dict[str, int] = {"shape": SHAPES, "texture": TEXTURES}


def networks(seen: Shapes, held: Shapes) -> Made:
    """The networks under audit; what linear probes read in their features is told, too."""
    for seed, taught in enumerate(HEADS):
        net = recipes.network(seen, taught, seed, say)
        heads = {name: size for name, size in OF.items() if taught in (name, "both", BLURRED)}
        told: dict[str, Any] = shares_right(net, held, heads)
        yield taught, net, told | {"probes": probes(Features(net), seen, held)}


def judges(seen: Shapes, held: Shapes) -> Made:
    """Two judges of the shape and two of the texture."""
    names: tuple[Literal["shape", "texture"], ...] = ("shape", "texture")
    numbers: tuple[Literal[1, 2], ...] = (1, 2)
    for of in names:
        for which in numbers:
            net = recipes.judge_of(seen, of, which, 10 + which, say)
            told = {"accuracy": shares_right(net, held, {of: OF[of]})[of]}
            yield f"judge-{of}-{which}", net, told


def prior(seen: Shapes, held: Shapes) -> Made:
    """The components and the velocity field."""
    codec, network = train_prior(seen, held_out(), seed=0, say=say)
    yield "prior", nn.ModuleDict({"codec": codec, "network": network}), {"steps": STEPS}


BLURRED = "both-blurred"
PARTS: dict[str, Callable[[Shapes, Shapes], Made]] = {
    "networks": networks,
    "judges": judges,
    "prior": prior,
}


def say(line: str) -> None:
    """Progress goes to stderr."""
    typer.echo(line, err=True)


def main() -> None:
    """Train what is named, one after the other, and write its weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="+", choices=[*PARTS, "all"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=FOLDER)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    seen, held = read(asked.data), read(asked.data, train=False)
    for part in PARTS if "all" in asked.names else asked.names:
        started = time.process_time()
        for name, network, told in PARTS[part](seen, held):
            told["seconds"] = round(time.process_time() - started)
            say(f"{name}: {told}")
            store(network, name, told, asked.out)
            started = time.process_time()


if __name__ == "__main__":
    main()
