"""The encoders and the judges of adult radiographs, trained once and kept."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch
from chest_cells import Cell
from chest_nih_data import SIZE
from fiber_audit_chest.extractors import ChestExtractor
from fiber_audit_chest.nets import Code, SideJudge, pooled, strided
from fiber_audit_chest.radiographs import mirrored
from fiber_audit_chest.train.accuracy import share_right, side_probe
from fiber_audit_chest.train.recipes import Radiographs, contrastive, side_judge
from torch import Tensor, nn

from fiber_audit import WeightsError
from fiber_audit.contracts import Attribute
from fiber_audit.fitting import say_on_stderr
from fiber_audit.loading import Shipped

JUDGE_STEPS = 1000
"""Half of those for children, of whom there are seven times as many pictures."""
Network = TypeVar("Network", bound=nn.Module)


class AdultEncoder(ChestExtractor):
    """A contrastive code of radiographs of 64 x 64."""

    input_shape = (1, SIZE, SIZE)


class Averaged(nn.Module):
    """A code averaged over a picture and its mirror image: exactly blind."""

    def __init__(self, code: nn.Module) -> None:
        super().__init__()
        self.code = code

    def forward(self, x: Tensor) -> Tensor:
        """Radiographs -> (n, 32)."""
        found: Tensor = (self.code(x) + self.code(mirrored(x))) / 2
        return found


class Judge(Attribute):
    """The side by a network: 1 where it takes a chest for the usual one."""

    kind = "class"
    chance = 0.5

    def __init__(self, network: SideJudge, accuracy: float) -> None:
        self.network, self.accuracy = network, accuracy

    @torch.no_grad()
    def read(self, x: Tensor) -> Tensor:
        """Radiographs -> (n,) int64."""
        odds: Tensor = self.network(x)
        return (odds > 0).long()


@dataclass(frozen=True)
class Trained:
    """Networks of the training patients; what held-out ones say of each is kept beside it."""

    seen: Radiographs
    held: Radiographs
    folder: Path

    @cached_property
    def kept(self) -> Shipped:
        """The store."""
        return Shipped(self.folder)

    def network(self, cell: Cell) -> tuple[AdultEncoder, float | None]:
        """F, G or S, and how often a linear probe of its code is right about the side."""
        if cell.network == "S":  # blind by design: the code of G, averaged over the flip
            twin, _ = self.network(replace(cell, network="G"))
            return AdultEncoder(Averaged(twin.network), ""), None
        flips = cell.network == "F"
        name = f"contrastive-{'flips' if flips else 'plain'}-{cell.seed}"

        def train() -> tuple[Code, dict[str, float]]:
            net = contrastive(self.seen, flips, cell.seed, say_on_stderr)
            return net, {"side_probe": side_probe(net, self.seen, self.held)}

        net, facts = self.once(name, Code(unit=True, size=SIZE), train)
        return AdultEncoder(net, ""), facts["side_probe"]

    def judge(self, which: int) -> Judge:
        """1 has pooling and a hidden layer, 2 strides only."""
        body = {1: pooled, 2: _strided}[which]

        def train() -> tuple[SideJudge, dict[str, float]]:
            net = side_judge(self.seen, body, which, say_on_stderr, JUDGE_STEPS)
            right = share_right(net, self.held.x, torch.ones(len(self.held.x)))
            return net, {"accuracy": right}

        empty = SideJudge(body(size=SIZE))
        net, facts = self.once(f"side-{which}", empty, train)
        return Judge(net, facts["accuracy"])

    def once(
        self, name: str, empty: Network, train: Callable[[], tuple[Network, dict[str, float]]]
    ) -> tuple[Network, dict[str, float]]:
        """The network of a name, trained if it is not yet there, and what was measured of it."""
        try:
            facts = self.kept.facts(name)
        except WeightsError:
            print(name, file=sys.stderr, flush=True)
            net, facts = train()
            self.kept.store(net, name, facts)
        return self.kept.load(empty, name), facts


def _strided(size: int) -> nn.Sequential:
    return strided(outputs=1, size=size)
