"""`blind-spot`: which extractor sees what another's draws changed, as a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ...contracts import Table
from ...errors import UsageError
from ..plain import plain
from .paper import COLUMN, named

DARK = 0.6
"""A shade from which on text is white."""
ROOM = 12
"""Characters above a column; longer names are tilted."""
LINE = 0.36
"""Inches of a row."""


def blind_spot(tables: Mapping[str, Sequence[Table]]) -> Figure:
    """The first shaded table with outlined cells, which is what `blind_spot` offers."""
    held = [t for offered in tables.values() for t in offered if t.marked and t.shades]
    if not held:
        raise UsageError(
            "blind-spot: the run has no matrix of blind spots; add the metric `blind_spot` to its "
            "suite."
        )
    table = held[0]
    shades = np.array([[np.nan if s is None else s for s in row] for row in table.shades], float)
    figure = Figure(
        figsize=(max(COLUMN, 0.85 * len(table.columns) + 1), LINE * len(table.rows) + 0.7),
        layout="constrained",
    )
    axes: Any = figure.add_subplot()
    axes.imshow(np.ma.masked_invalid(shades), cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for i, (_, cells) in enumerate(table.rows):
        for j, text in enumerate(cells):
            dark = bool(shades[i, j] > DARK)
            axes.text(
                j, i, plain(text, keep="\n"), ha="center", va="center", fontsize=6.5,
                color="white" if dark else "black", linespacing=1.15,
            )  # fmt: skip
    for i, j in table.marked:
        axes.add_patch(_outline(i, j))
    columns = [named(c) for c in table.columns]
    tilt = {"rotation": 30, "ha": "left"} if max(map(len, columns)) > ROOM else {}
    axes.set_xticks(range(len(columns)), columns, **tilt)
    axes.set_yticks(range(len(table.rows)), [named(heading) for heading, _ in table.rows])
    axes.set_ylabel(named(table.corner))
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    return figure


def _outline(i: int, j: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((j - 0.47, i - 0.47), 0.94, 0.94, fill=False, linewidth=1.2)
