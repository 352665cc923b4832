"""How good is a fitted prior? Its draws beside held-out data, a Gaussian, and the training data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fiber_audit.contracts import data_of
from fiber_audit.fitting import Corpus
from fiber_audit.sampling import derive_seed

from .eyes import eyes, seen
from .kernel_distance import Distance, kernel_distance
from .model import Model
from .neighbours import Recital, nearest, recital
from .sheet import drawn

LARGEST = 4096
"""Training items of which the Gaussian is made and with which draws are compared as sets."""
LEAST = 0.1
"""Of the mean spread of the features: one that varies less is measured in this unit."""


@dataclass(frozen=True)
class Quality:
    """distances: eye -> who ("draws", "a Gaussian", "training data") -> distance to held-out data.

    recital: None where no items were held out. draws, held_out: how many were compared. lost: draws
    that were not finite, and are not among those.
    """

    draws: int
    held_out: int
    distances: Mapping[str, Mapping[str, Distance | None]]
    recital: Recital | None
    lost: int = 0

    @property
    def sentence(self) -> str:
        """For the facts of the prior: its distance beside that of a Gaussian, eye by eye."""
        told = list[str]()
        for eye, found in self.distances.items():
            draws, gaussian = found.get("draws"), found.get("a Gaussian")
            if draws and gaussian:
                told.append(f"{eye} {draws.value:.3g} (a Gaussian {gaussian.value:.3g})")
        sentence = (
            f"kernel distance to held-out items: {', '.join(told)}" if told else "not measured"
        )
        if self.lost:
            sentence += f"; {self.lost} of {self.draws + self.lost} draws were not finite"
        return sentence


def judged(
    model: Model, corpus: Corpus, n: int, seed: int, device: str, batch: int,
    say: Callable[[str], None], flip: bool = False,
) -> Quality:  # fmt: skip
    """Draw n times without guidance, and compare.

    flip: the prior was trained on mirrored items, too; then half of all real ones are mirrored.
    """
    data_shape = tuple(corpus.items.shape[1:])
    say(f"judging {n} draws")
    draws = drawn(model, n, derive_seed(seed, "judged"), batch, say)
    draws = draws[draws.flatten(1).isfinite().all(1)]
    generator = torch.Generator().manual_seed(derive_seed(seed, "judged"))
    real = corpus.take(corpus.held_out[:n]).cpu()
    some = corpus.training[torch.randperm(len(corpus.training), generator=generator)[:LARGEST]]
    known = corpus.take(some).cpu()
    if flip:
        real, known = _half_mirrored(real, generator), _half_mirrored(known, generator)
    sets = {"draws": draws, "a Gaussian": _gaussian(model, known, n, device, generator)}
    sets |= {"training data": known[:n], "held out": real}
    if len(data_shape) != 3:  # columns in one scale
        known, sets = (
            _encoded(model, known, device),
            {who: _encoded(model, rows, device) for who, rows in sets.items()},
        )
    distances = {
        name: _distances({who: seen(eye, rows, device) for who, rows in sets.items()},
                         seen(eye, known, device))
        for name, eye in eyes(data_shape, device).items()
    }  # fmt: skip
    recited = _recited(model, corpus, draws, real, device, flip)
    return Quality(len(draws), len(real), distances, recited, lost=n - len(draws))


def _half_mirrored(x: Tensor, generator: torch.Generator) -> Tensor:
    turned = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
    return torch.where(turned, x.flip(-1), x)


def _distances(views: dict[str, Tensor], base: Tensor) -> dict[str, Distance | None]:
    """Distances of features (n, d) to those held out, each feature in units of its own spread.

    base: features of the training data, which say what that is. One that hardly varies (a black
    corner) counts as if it did a little, or rounding would decide.
    """
    spread = base.std(0)
    spread = spread.clamp(min=LEAST * float(spread.square().mean().sqrt()) + 1e-12)
    scaled = {who: (rows - base.mean(0)) / spread for who, rows in views.items()}
    wanted = scaled.pop("held out")
    return {who: kernel_distance(rows, wanted) for who, rows in scaled.items()}


@torch.no_grad()
def _encoded(model: Model, data: Tensor, device: str) -> Tensor:
    parts = [model.encode(part.to(device)).cpu() for part in data.split(256)]
    return torch.cat(parts) if parts else data


@torch.no_grad()
def _gaussian(
    model: Model, known: Tensor, n: int, device: str, generator: torch.Generator
) -> Tensor:
    """Draws of the Gaussian with mean and covariance of the known items' states."""
    states = _encoded(model, known, device)
    flat = states.flatten(1)
    mean = flat.mean(0)
    weights = torch.randn(n, len(flat), generator=generator) / (len(flat) - 1) ** 0.5
    found = (mean + weights @ (flat - mean)).reshape(n, *states.shape[1:])
    return torch.cat([data_of(model, part.to(device)).cpu() for part in found.split(256)])


@torch.no_grad()
def _recited(
    model: Model, corpus: Corpus, draws: Tensor, real: Tensor, device: str, flip: bool
) -> Recital | None:
    """Distances in the prior's own space, where columns of a table have one scale."""
    if not len(real):
        return None
    states = _encoded(model, torch.cat([draws, real]), device).to(device)
    parts = (part.to(device) for part in corpus.chunks(corpus.training))
    ways = ((part, part.flip(-1)) if flip else (part,) for part in parts)
    found = nearest(states, (model.encode(x) for way in ways for x in way)).cpu()
    return recital(found[: len(draws)], found[len(draws) :])
