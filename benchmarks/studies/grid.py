"""Pictures of a study: a query in each row, followed by draws of every network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from torch import Tensor

mpl.use("agg")
import matplotlib.pyplot as plt


def paint_grid(
    rows: Sequence[Sequence[Tensor]],
    titles: Sequence[str],
    draws: int,
    path: Path,
    size: tuple[float, float],
    dpi: int = 100,
) -> None:
    """Rows of cells, each a picture (h, w) gray or (h, w, 3) in [0, 1]; titles of the columns.

    draws: how many stand side by side in every cell but the first, the query.
    """
    figure, axes = plt.subplots(
        len(rows),
        len(titles),
        figsize=size,
        width_ratios=[1] + [draws] * (len(titles) - 1),
        layout="constrained",
    )
    for row, cells in zip(axes, rows, strict=True):
        for axis, cell in zip(row, cells, strict=True):
            axis.imshow(cell, cmap="gray", vmin=0, vmax=1)
            axis.set_axis_off()
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi)
    plt.close(figure)
