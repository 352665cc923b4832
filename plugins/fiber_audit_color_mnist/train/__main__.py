"""The command: trains one network and writes its weights and the manifest."""

from __future__ import annotations

import time
from pathlib import Path

import click
import torch

from fiber_audit import UsageError, suggestion
from fiber_audit.loading import Shipped

from .. import digits
from ..nets import LayeredVAE
from ..weights import SHIPPED
from . import recipes
from .loop import Recipe, facts, train

NAMES = (*recipes.SIMPLE, "latent", "flow", "pixel")


def recipe_of(name: str) -> Recipe:
    """The recipe of that name; `latent` and `flow` need trained `vae` weights."""
    if name == "latent":
        return recipes.latent_recipe(SHIPPED.load(LayeredVAE(), "vae"))
    if name == "flow":
        return recipes.flow_recipe(SHIPPED.load(LayeredVAE(), "vae"))
    if name == "pixel":
        return recipes.pixel_recipe()
    if name not in recipes.SIMPLE:
        raise UsageError(f"NAME = {name!r}: no such network. {suggestion(name, NAMES)}")
    return recipes.SIMPLE[name]


@click.command(context_settings={"show_default": True})
@click.argument("name", type=click.Choice(NAMES))
@click.option(
    "--data", type=Path, required=True, help="MNIST: an .npz (Xt, Yt, Xe, Ye) or a folder"
)
@click.option("--checkpoint", type=Path, default=".", help="where to keep checkpoints")
@click.option("--out", type=Path, default=SHIPPED.folder, help="where the weights go")
def main(name: str, data: Path, checkpoint: Path, out: Path) -> None:
    """Train one network of the Color MNIST benchmark; run again to resume."""
    torch.set_num_threads(1)
    recipe = recipe_of(name)
    pool = digits.full(data)
    started = time.monotonic()
    network = train(
        recipe,
        pool.images,
        pool.labels,
        checkpoint / f"{name}.ckpt",
        lambda line: click.echo(f"{name} {line}", err=True),
    )
    seconds = time.monotonic() - started
    Shipped(out).store(network, name, facts(recipe, len(pool), seconds))


if __name__ == "__main__":
    main()
