"""The command: trains one network and writes its weights."""

from __future__ import annotations

from pathlib import Path

import click
import torch

from fiber_audit.loading import Shipped

from .. import digits
from ..prior import CLUSTERS, RANK
from ..strokes import Strokes
from ..weights import SHIPPED
from . import classifiers
from .clusters import mixture
from .judge import judge


@click.command(context_settings={"show_default": True})
@click.argument("name", type=click.Choice(["erm", "irm", "judge", "prior"]))
@click.option("--data", type=Path, required=True, help="MNIST: an .npz (Xt, Yt, Xe, Ye)")
@click.option("--out", type=Path, default=SHIPPED.folder, help="where the weights go")
@click.option("--seed", type=int, default=0)
def main(name: str, data: Path, out: Path, seed: int) -> None:
    """Train one network of Causal MNIST."""
    torch.set_num_threads(1)
    shipped = Shipped(out)
    pool, test = digits.full(data, train=True), digits.full(data, train=False)

    def say(line: str) -> None:
        click.echo(f"{name} {line}", err=True)

    if name == "erm" or name == "irm":
        network = classifiers.classifier(pool, name == "irm", seed, say)
        environments = {"0.2": (pool, 0.2), "0.1": (pool, 0.1), "0.9, test": (test, 0.9)}
        told = {e: classifiers.accuracy(network, *where) for e, where in environments.items()}
        say(f"accuracy {told}")
        shipped.store(network, name, {"accuracy": told})
    elif name == "judge":
        found = judge(pool, seed, say)
        x = test.images[:, None].repeat(1, 2, 1, 1) / 2
        right = float((found(x).argmax(1) == test.numbers).double().mean())
        say(f"test {right:.4f}")
        shipped.store(found, name, {"accuracy": right})
    else:
        strokes = Strokes()
        strokes.measure(pool.images)
        shipped.store(strokes, "strokes", {})
        kept = shipped.load(strokes, "strokes")
        shipped.store(mixture(pool, kept, CLUSTERS, RANK, seed), name, {})


if __name__ == "__main__":
    main()
