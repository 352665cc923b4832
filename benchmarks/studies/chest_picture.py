"""The picture of the study: mirrored chests, and what each network takes for the same."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import torch
from torch import Tensor

mpl.use("agg")
import matplotlib.pyplot as plt

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
    figure, axes = plt.subplots(
        len(QUERIES),
        1 + len(shown),
        figsize=(10, 3.9),
        width_ratios=[1] + [DRAWS] * len(shown),
        layout="constrained",
    )
    for row, q in zip(axes, QUERIES, strict=True):
        cells = [side_by_side(queries[q : q + 1], torch.zeros(1))]
        for name in shown:
            rows = slice(q * len(draws[name]) // len(queries), None)
            cells.append(side_by_side(draws[name][rows][:DRAWS], usual[name][rows][:DRAWS]))
        for axis, cell in zip(row, cells, strict=True):
            axis.imshow(cell)
            axis.set_axis_off()
    for axis, title in zip(axes[0], ["query", *(TITLES[name] for name in shown)], strict=True):
        axis.set_title(title, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def side_by_side(x: Tensor, framed: Tensor) -> Tensor:
    """(k, 1, 28, 28), (k,) -> one picture (32, 32 k, 3): some framed, white between them."""
    color = torch.where(framed[:, None] > 0, torch.tensor([0.9, 0.4, 0.0]), torch.ones(3))
    cells = color[:, None, None].repeat(1, 32, 32, 1)
    cells[:, :, [0, -1]] = cells[:, [0, -1]] = 1.0
    cells[:, 2:-2, 2:-2] = x[:, 0, :, :, None]
    return cells.transpose(0, 1).flatten(1, 2)
