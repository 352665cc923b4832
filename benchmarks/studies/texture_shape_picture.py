"""The picture of the study: pictures, and what each network takes for the same."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from torch import Tensor
from torch.nn.functional import pad

mpl.use("agg")
import matplotlib.pyplot as plt

QUERIES, DRAWS = range(4), 4
TITLES = {
    "shape penultimate": "taught the shape",
    "texture penultimate": "taught the texture",
    "both penultimate": "taught both",
    "both-blurred penultimate": "both, blurred",
    "unguided": "the prior alone",
}


def paint(queries: Tensor, draws: dict[str, Tensor], path: Path) -> None:
    """Rows of queries (q, 1, 32, 32), each followed by draws (q k, 1, 32, 32) of every network."""
    draws = {name or "unguided": x.unflatten(0, (-1, DRAWS)) for name, x in draws.items()}
    shown = [name for name in TITLES if name in draws]
    figure, axes = plt.subplots(
        len(QUERIES),
        1 + len(shown),
        figsize=(12.6, 3.0),
        width_ratios=[1] + [DRAWS] * len(shown),
        layout="constrained",
    )
    for row, q in zip(axes, QUERIES, strict=True):
        cells = [queries[q : q + 1], *(draws[name][q] for name in shown)]
        for axis, some in zip(row, cells, strict=True):
            axis.imshow(side_by_side(some), cmap="gray", vmin=0, vmax=1)
            axis.set_axis_off()
    for axis, title in zip(axes[0], ["query", *(TITLES[name] for name in shown)], strict=True):
        axis.set_title(title, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def side_by_side(x: Tensor) -> Tensor:
    """(k, 1, 32, 32) -> one picture (34, 34 k), white between them."""
    return pad(x[:, 0], (1, 1, 1, 1), value=1.0).transpose(0, 1).flatten(1)
