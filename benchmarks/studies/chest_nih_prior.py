"""The prior of adult radiographs, and how near its draws are to held-out ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chest_cells import Cell
from chest_nih_data import SIZE
from chest_nih_networks import Trained
from chest_quality import Eye, mean, rows
from fiber_audit_chest.components import Components
from fiber_audit_chest.priors import ChestFlow
from fiber_audit_chest.train.prior import train_prior
from fiber_audit_chest.velocity import Velocity
from torch import nn

from fiber_audit.fitting import say_on_stderr

COMPONENTS, STEPS = 192, 0
SEEDS = (7, 8, 9)


def both(trained: Trained) -> ChestFlow:
    """Chests of either side, of the training patients."""

    def train() -> tuple[nn.ModuleDict, dict[str, float]]:
        made = train_prior(trained.seen, trained.held, 0, say_on_stderr, STEPS, COMPONENTS)
        return nn.ModuleDict(dict(zip(("parts", "network"), made, strict=True))), {"steps": STEPS}

    parts = Components(COMPONENTS, SIZE)
    network = Velocity(components=COMPONENTS)
    trained.once("prior", nn.ModuleDict({"parts": parts, "network": network}), train)
    return ChestFlow(parts, network, 0)


def quality(prior: ChestFlow, trained: Trained) -> Iterator[dict[str, Any]]:
    """Rows of `chest_quality` by judge 1 and G: as many draws as there are training pictures."""
    side = trained.judge(1)
    layers = side.network.body
    assert isinstance(layers, nn.Sequential)
    plain, _ = trained.network(Cell("", "G", 0, ""))
    eyes: dict[str, Eye] = {"judge": layers[:-3], "code": plain.network}
    n = len(trained.seen.x)
    made = [rows(prior, s, trained.seen.x, trained.held.x, eyes, side, n)[0] for s in SEEDS]
    for found in zip(*made, strict=True):
        yield from (*found, mean(list(found)))
