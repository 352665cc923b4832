"""Reproduce the weights: ``python -m fiber_audit_chest.train NAME... --data pneumoniamnist.npz``.

NAME: prior, contrastive, classifier, autoencoder, side, label, or all of them. About ten minutes of
one core, of which the prior takes three.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fiber_audit.fitting import Made, say_on_stderr, train_parts

from ..nets import Features, dense, pooled
from ..radiographs import masked, read
from ..weights import SHIPPED
from . import recipes
from .accuracy import share_right, side_probe
from .prior import STEPS, train_prior
from .recipes import Radiographs

SEEDS = (0, 1, 2)


def radiographs(path: Path, split: Any) -> Radiographs:
    """A split, masked."""
    x, labels = read(path, split)
    return Radiographs(masked(x.float() / 255), labels)


def prior(seen: Radiographs, held: Radiographs) -> Made:
    """The components and the velocity field."""
    parts, network = train_prior(seen, held, seed=0, say=say_on_stderr)
    yield "prior", nn.ModuleDict({"parts": parts, "network": network}), {"steps": STEPS}


def contrastive(seen: Radiographs, held: Radiographs) -> Made:
    """F and G, three seeds."""
    for seed in SEEDS:
        for flips in (True, False):
            net = recipes.contrastive(seen, flips, seed, say_on_stderr)
            name = f"contrastive-{'flips' if flips else 'plain'}-{seed}"
            yield name, net, {"side_probe": side_probe(net, seen, held)}


def classifier(seen: Radiographs, held: Radiographs) -> Made:
    """Two supervised classifiers; the one with flips is what the flip average averages."""
    for flips in (True, False):
        net = recipes.classifier(seen, flips, 0, say_on_stderr)
        told = {
            "accuracy": share_right(net, held.x, held.labels),
            "side_probe": side_probe(Features(net), seen, held),
        }
        yield f"classifier-{'flips' if flips else 'plain'}", net, told


def autoencoder(seen: Radiographs, held: Radiographs) -> Made:
    """The autoencoder's code."""
    net = recipes.autoencoder(seen, 0, say_on_stderr)
    yield "autoencoder", net, {"side_probe": side_probe(net, seen, held)}


def side(seen: Radiographs, held: Radiographs) -> Made:
    """The two judges of side."""
    for which, body in ((1, pooled), (2, dense)):
        net = recipes.side_judge(seen, body, which, say_on_stderr)
        right = share_right(net, held.x, torch.ones(len(held.x)))
        yield f"side-{which}", net, {"accuracy": right, "held_out": len(held.x)}


def label(seen: Radiographs, held: Radiographs) -> Made:
    """The judge of the label."""
    net = recipes.label_judge(seen, 0, say_on_stderr)
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


def halves(path: Path) -> tuple[Radiographs, Radiographs]:
    """What networks are trained on, and what is held out: validation and test."""
    seen, val, test = (radiographs(path, split) for split in ("train", "val", "test"))
    return seen, Radiographs(torch.cat([val.x, test.x]), torch.cat([val.labels, test.labels]))


if __name__ == "__main__":
    train_parts((__doc__ or "").splitlines()[0], PARTS, halves, SHIPPED.folder)
