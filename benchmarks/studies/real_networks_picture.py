"""The pictures of the study: queries, and what each network takes for the same."""

from __future__ import annotations

from pathlib import Path

from grid import paint_grid
from real_networks_runs import Cell, Runs
from torch import Tensor
from torch.nn.functional import pad

QUERIES, DRAWS = (0, 1, 2, 3), 3
TITLES = {
    "lite0": "EfficientNet-Lite0",
    "inception": "InceptionV3 (nsfwjs)",
    "resnet20": "ResNet-20",
    "resnet56": "ResNet-56",
    "F": "F: trained with flips",
    "G": "G: its twin, without",
    "": "the prior alone",
}


def paint(runs: Runs, cells: list[Cell], path: Path) -> None:
    """Rows of queries, each followed by draws of every cell, and of the prior alone."""
    shown = [*cells, Cell(runs.scene.name)]
    rows = []
    for q in QUERIES:
        drawn = [runs.draws(cell)[q * runs.k :][:DRAWS] for cell in shown]
        rows.append([side_by_side(x) for x in (runs.queries[q : q + 1], *drawn)])
    titles = ["query", *(TITLES.get(cell.guide, cell.guide) for cell in shown)]
    paint_grid(rows, titles, DRAWS, path, size=(2.4 * len(shown) + 0.9, 3.6), dpi=75)


def side_by_side(x: Tensor) -> Tensor:
    """(k, c, h, w) -> one picture (h, w k, 3), white between them."""
    rows = pad(x.expand(-1, 3, -1, -1), (1, 1, 1, 1), value=1.0).permute(0, 2, 3, 1)
    return rows.transpose(0, 1).flatten(1, 2)
