"""Reproduce the weights: ``python -m fiber_audit_chest.train NAME... --data pneumoniamnist.npz``.

NAME: prior, contrastive, classifier, autoencoder, side, label, or all of them. About 15 minutes of
one core, of which the prior takes ten.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import typer
from torch import nn

from ..nets import Features
from ..radiographs import masked, read
from ..weights import FOLDER, store
from . import recipes
from .accuracy import share_right, side_probe
from .prior import STEPS, train_prior
from .recipes import Radiographs

Made = Iterator[tuple[str, nn.Module, dict[str, Any]]]
SEEDS = (0, 1, 2)


def radiographs(path: Path, split: Any) -> Radiographs:
    """A split, masked."""
    x, labels = read(path, split)
    return Radiographs(masked(x.float() / 255), labels)


def prior(seen: Radiographs, held: Radiographs) -> Made:
    """The components and the velocity field."""
    parts, network = train_prior(seen.x, held.x, seed=0, say=say)
    yield "prior", nn.ModuleDict({"parts": parts, "network": network}), {"steps": STEPS}


def contrastive(seen: Radiographs, held: Radiographs) -> Made:
    """F and G, three seeds."""
    for seed in SEEDS:
        for flips in (True, False):
            net = recipes.contrastive(seen, flips, seed, say)
            name = f"contrastive-{'flips' if flips else 'plain'}-{seed}"
            yield name, net, {"side_probe": side_probe(net, seen, held)}


def classifier(seen: Radiographs, held: Radiographs) -> Made:
    """Two supervised classifiers; the one with flips is what the flip average averages."""
    for flips in (True, False):
        net = recipes.classifier(seen, flips, 0, say)
        told = {
            "accuracy": share_right(net, held.x, held.labels),
            "side_probe": side_probe(Features(net), seen, held),
        }
        yield f"classifier-{'flips' if flips else 'plain'}", net, told


def autoencoder(seen: Radiographs, held: Radiographs) -> Made:
    """The autoencoder's code."""
    net = recipes.autoencoder(seen, 0, say)
    yield "autoencoder", net, {"side_probe": side_probe(net, seen, held)}


def side(seen: Radiographs, held: Radiographs) -> Made:
    """The two judges of side."""
    for which in (1, 2):
        net = recipes.side_judge(seen, which, which, say)
        right = share_right(net, held.x, torch.ones(len(held.x)))
        yield f"side-{which}", net, {"accuracy": right, "held_out": len(held.x)}


def label(seen: Radiographs, held: Radiographs) -> Made:
    """The judge of the label."""
    net = recipes.label_judge(seen, 0, say)
    ill = float(held.labels.double().mean())
    told = {"accuracy": share_right(net, held.x, held.labels), "chance": max(ill, 1 - ill)}
    yield "label", net, told


PARTS: dict[str, Callable[[Radiographs, Radiographs], Made]] = {
    "contrastive": contrastive,
    "classifier": classifier,
    "autoencoder": autoencoder,
    "side": side,
    "label": label,
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
    seen, val, test = (radiographs(asked.data, split) for split in ("train", "val", "test"))
    held = Radiographs(torch.cat([val.x, test.x]), torch.cat([val.labels, test.labels]))
    for part in PARTS if "all" in asked.names else asked.names:
        started = time.process_time()
        for name, network, told in PARTS[part](seen, held):
            told["seconds"] = round(time.process_time() - started)
            say(f"{name}: {told}")
            store(network, name, told, asked.out)
            started = time.process_time()


if __name__ == "__main__":
    main()
