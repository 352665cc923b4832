"""The picture of `tables.py`: what is left of each column along a fiber, beside its gradient.

Command   python benchmarks/studies/tables_picture.py
Writes    docs/img/study_tables.png, from benchmarks/results/study_tables.csv
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "docs" / "img" / "study_tables.png"
SAMPLER = "moment-matched"
TITLES = {"htru2": "pulsar candidates (HTRU2)", "breast-cancer": "cells of a breast"}


def panels(left: Axes, right: Axes, rows: pd.DataFrame) -> None:
    """One table: the index with its interval, and the importance, by falling index."""
    rows = rows[rows["part"] == "column"]
    index = rows[(rows["statistic"] == "invariance") & (rows["sampler"] == SAMPLER)]
    index = index.set_index("column").sort_values("value")
    weight = rows[rows["statistic"] == "importance"].set_index("column")["value"]
    places = range(len(index))
    errors = [index["value"] - index["low"], index["high"] - index["value"]]
    left.barh(places, index["value"], color="#1f5fa8", xerr=errors, ecolor="#555555", height=0.7)
    left.set_yticks(places, index.index, fontsize=7)
    left.axvline(1, color="#8a8a8a", linestyle=":", linewidth=0.8)
    left.set_xlabel("invariance: 0 pinned, 1 ignored")
    right.barh(places, weight[index.index], color="#c0392b", height=0.7)
    right.set_yticks([])
    right.set_xlabel("importance by gradient")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Both tables, one above the other."""
    names = [name for name in TITLES if (table["table"] == name).any()]
    counts = [table[table["table"] == n].query("statistic == 'importance'").shape[0] for n in names]
    figure = Figure(figsize=(8, 1.6 + 0.17 * sum(counts)), layout="constrained")
    grid = figure.subplots(len(names), 2, squeeze=False, height_ratios=[n + 4 for n in counts])
    for (left, right), name in zip(grid, names, strict=True):
        panels(left, right, table[table["table"] == name])
        left.set_title(TITLES[name], fontsize=9, loc="left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    draw(pd.read_csv(HERE.parent / "results" / "study_tables.csv"), PICTURE)
