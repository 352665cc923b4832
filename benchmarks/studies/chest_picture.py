"""The picture of the study: mirrored chests, and what each network takes for the same."""

from __future__ import annotations

from pathlib import Path

import torch
from grid import paint_grid
from torch import Tensor

QUERIES, DRAWS = (0, 1, 2, 3, 4, 5), 4
TITLES = {
    "F": "F: trained with flips",
    "G": "G: its twin, without",
    "S": "S: blind by design",
    "": "the prior alone",
}


def paint(queries: Tensor, draws: dict[str, Tensor], usual: dict[str, Tensor], path: Path) -> None:
    """Rows of queries (q, 1, 28, 28), each followed by draws (q k, 1, 28, 28) of every network.

    usual: (q k,), above 0 where a draw shows the usual side: it is framed.
    """
    shown = [name for name in TITLES if name in draws]
    rows = []
    for q in QUERIES:
        cells = [side_by_side(queries[q : q + 1], torch.zeros(1))]
        for name in shown:
            mine = slice(q * len(draws[name]) // len(queries), None)
            cells.append(side_by_side(draws[name][mine][:DRAWS], usual[name][mine][:DRAWS]))
        rows.append(cells)
    titles = ["query", *(TITLES[name] for name in shown)]
    paint_grid(rows, titles, DRAWS, path, size=(10, 3.9), dpi=110)


def side_by_side(x: Tensor, framed: Tensor) -> Tensor:
    """(k, 1, 28, 28), (k,) -> one picture (32, 32 k, 3): some framed, white between them."""
    color = torch.where(framed[:, None] > 0, torch.tensor([0.9, 0.4, 0.0]), torch.ones(3))
    cells = color[:, None, None].repeat(1, 32, 32, 1)
    cells[:, :, [0, -1]] = cells[:, [0, -1]] = 1.0
    cells[:, 2:-2, 2:-2] = x[:, 0, :, :, None]
    return cells.transpose(0, 1).flatten(1, 2)
