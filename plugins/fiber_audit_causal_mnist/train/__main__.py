"""The command: trains one network and writes its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
import typer

from .. import digits
from ..prior import CLUSTERS, RANK
from ..strokes import Strokes
from ..weights import FOLDER, fill, store
from . import classifiers
from .clusters import mixture
from .judge import judge


def main(
    name: Annotated[Literal["erm", "irm", "judge", "prior"], typer.Argument()],
    data: Annotated[Path, typer.Option(help="MNIST: an .npz (Xt, Yt, Xe, Ye)")],
    out: Annotated[Path, typer.Option(help="where the weights go")] = FOLDER,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Train one network of Causal MNIST."""
    torch.set_num_threads(1)
    pool, test = digits.full(data, train=True), digits.full(data, train=False)

    def say(line: str) -> None:
        typer.echo(f"{name} {line}", err=True)

    if name == "erm" or name == "irm":
        network = classifiers.classifier(pool, name == "irm", seed, say)
        store(network, name, out)
        told = {e: round(classifiers.accuracy(network, pool, e), 3) for e in (0.2, 0.1)}
        say(f"training {told}, test {classifiers.accuracy(network, test, 0.9):.3f}")
    elif name == "judge":
        found = judge(pool, seed, say)
        store(found, name, out)
        x = test.images[:, None].repeat(1, 2, 1, 1) / 2
        say(f"test {float((found(x).argmax(1) == test.numbers).double().mean()):.4f}")
    else:
        strokes = Strokes()
        strokes.measure(pool.images)
        store(strokes, "strokes", out)
        kept = fill(strokes, "strokes", out)
        store(mixture(pool, kept, CLUSTERS, RANK, seed), name, out)


if __name__ == "__main__":
    typer.run(main)
