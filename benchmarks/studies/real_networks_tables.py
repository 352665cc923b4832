"""The table of the study: who sees what, what became of the draws, what is ignored."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fiber_audit_attributes.brightness import Contrast, MeanColour
from fiber_audit_attributes.fineness import HighFrequencyEnergy
from fiber_audit_attributes.place import MirrorSide, Position
from fiber_audit_attributes.variation import from_query, of_pairs, ranked
from fiber_audit_scoring.invisible import CHANGES
from numpy.typing import NDArray
from real_networks_runs import Cell, Runs
from torch import Tensor

from fiber_audit.contracts import Attribute
from fiber_audit.measuring import Estimate, estimate, estimate_of_pairs, ratio_of

sys.path.insert(0, str(Path(__file__).parents[1]))
from tabulated import head

Every = Sequence[tuple[Runs, Cell]]
Row = dict[str, Any]
ATTRIBUTES: dict[str, Attribute] = {
    "mean-colour": MeanColour(),
    "contrast": Contrast(),
    "high-frequency": HighFrequencyEnergy(),
    "position": Position(),
    "mirror-side": MirrorSide(),
}
HEAD = head()
HEAD["scored_on"] = HEAD.pop("machine")
PAIRS = "another query"
"""Who guides where real pictures stand in for draws: random pairs of queries."""


def finished(every: Every) -> list[tuple[Runs, Cell]]:
    """Guided cells that everybody has looked at."""
    return [(runs, cell) for runs, cell in every if cell.guide and runs.whole(cell)]


def first(runs: Runs, cell: Cell) -> Row:
    """What every row says."""
    named = {"scene": cell.scene, "sampler": cell.sampler, "guided_by": cell.guide}
    return {**HEAD, **named, "q": runs.q, "k": runs.k}


def told(name: str, found: Estimate) -> Row:
    """A value with its interval."""
    return {name: found.value, f"{name}_low": found.ci_low, f"{name}_high": found.ci_high}


def distances(runs: Runs, cell: Cell, eye: str) -> NDArray[np.float64]:
    """(q, k), of draws to their query."""
    return runs.seen(cell, eye)["distance"].numpy()


def table(every: Every) -> Iterator[Row]:
    """A row for every cell, after one for random pairs of queries."""
    done = finished(every)
    for runs in dict.fromkeys(runs for runs, _ in done):
        yield first(runs, Cell(runs.scene.name, PAIRS)) | pairs(runs)
        for cell in (cell for of, cell in done if of is runs):
            yield first(runs, cell) | facts(runs, cell) | seen(runs, cell) | attributes(runs, cell)


def pairs(runs: Runs) -> Row:
    """How far other queries are, in units of the prior's own draws."""
    found: Row = {}
    for eye in runs.scene.networks:
        free = estimate(distances(runs, Cell(runs.scene.name), eye))
        null = estimate_of_pairs(runs.scale(eye)["null"].numpy())
        found |= told(f"seen_{eye}", ratio_of(null, free))
    return found


def seen(runs: Runs, cell: Cell) -> Row:
    """By each network: distance of draws to their query, in units of the prior's own draws."""
    found: Row = {}
    for eye in runs.scene.networks:
        free = estimate(distances(runs, Cell(cell.scene), eye))
        found |= told(f"seen_{eye}", ratio_of(estimate(distances(runs, cell, eye)), free))
    return found


def facts(runs: Runs, cell: Cell) -> Row:
    """Fiber loss and brittle (random pairs = 1), plausibility (queries = 1)."""
    looked, scale = runs.seen(cell, cell.guide), runs.scale(cell.guide)
    null = estimate_of_pairs(scale["null"].numpy())
    alone = distances(runs, Cell(cell.scene), cell.guide)
    queries = estimate(runs.plausible(None).numpy())
    found = told("loss", ratio_of(estimate(distances(runs, cell, cell.guide)), null))
    found["loss_alone"] = ratio_of(estimate(alone), null).value
    found |= told("brittle", ratio_of(estimate(worst(looked)), null))
    found["brittle_queries"] = ratio_of(estimate(worst(scale)), null).value
    drawn = estimate(runs.plausible(cell).numpy())
    found |= told("plausibility", ratio_of(drawn, queries))
    free = estimate(runs.plausible(Cell(cell.scene)).numpy())
    found["plausibility_alone"] = ratio_of(free, queries).value
    return found


def worst(looked: dict[str, Tensor]) -> NDArray[np.float64]:
    """How much farther from its query the worst invisible change takes a picture."""
    changed = np.maximum.reduce([looked[name].numpy() for name in CHANGES])
    return changed - looked["distance"].numpy()


def attributes(runs: Runs, cell: Cell) -> Row:
    """The invariance index: among draws of a query, and from draws to their query."""
    found: Row = {}
    for name, attribute in ATTRIBUTES.items():
        among, apart = indices(runs, cell, attribute)
        found |= told(name, among) | told(f"{name}_from_query", apart)
    return found


def indices(runs: Runs, cell: Cell, attribute: Attribute) -> Iterator[Estimate]:
    """Both estimates of one share; see `fiber_audit_attributes.variation`."""

    def read(x: Tensor) -> NDArray[np.float64]:
        return attribute.read(x).double().numpy().reshape(runs.q, len(x) // runs.q, -1)

    free, mine, own = (
        read(x) for x in (runs.draws(Cell(cell.scene)), runs.draws(cell), runs.queries)
    )
    if attribute.kind == "number":
        mine, own, free = (ranked(part, free) for part in (mine, own, free))
    for measure in (
        lambda x: of_pairs(x, attribute.kind),
        lambda x: from_query(x, own[:, 0], attribute.kind),
    ):
        yield ratio_of(estimate(measure(mine)), estimate(measure(free)))
