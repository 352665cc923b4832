"""The picture of `break_even.py`: total seconds against draws, training included.

Command   python benchmarks/break_even_picture.py
Writes    docs/img/break_even.svg, from benchmarks/results/break_even.csv
Expect    flat lines of trained samplers that cross the rising ones of guided samplers

Of each trained class the line is that of the weight with the least fiber loss. Dots: where it meets
the dearest guided sampler, and the cheapest.
"""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "img" / "break_even.svg"
TRAINED = "tab10"
GUIDED = {"ndtm-5": "#1f5fa8", "moment-matched": "#c0392b"}
MOST = 1e6


def chosen(table: pd.DataFrame) -> pd.DataFrame:
    """Of each trained class the row of the least fiber loss, in the table's order."""
    trained = table[(table["training_cpu_seconds"] > 0) & table["fiber_loss"].notna()]
    return trained.loc[trained.groupby("class", sort=False)["fiber_loss"].idxmin().sort_values()]


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw one line per class, and the guided samplers dashed."""
    draws = np.geomspace(1, MOST, 200)
    guided = table[table["sampler"].isin(GUIDED)].sort_values("cpu_seconds_per_draw")
    with mpl.rc_context({"svg.hashsalt": "break_even", "font.size": 9}):
        figure = Figure(figsize=(7.4, 4.2), layout="constrained")
        axes = figure.subplots()
        for _, row in guided.iterrows():
            name = row["sampler"]
            axes.plot(
                draws, draws * row["cpu_seconds_per_draw"], "--", color=GUIDED[name], linewidth=1.6,
                label=f"{name}: {row['fiber_loss']:.2g}",
            )  # fmt: skip
        colours = mpl.colormaps[TRAINED](range(10))
        for (_, row), colour in zip(chosen(table).iterrows(), cycle(colours), strict=False):
            total = row["training_cpu_seconds"] + draws * row["cpu_seconds_per_draw"]
            label = f"{row['class']}: {row['fiber_loss']:.2g}"
            if pd.notna(row["fiber_weight"]):
                label = f"{row['class']}, λ = {row['fiber_weight']:g}: {row['fiber_loss']:.2g}"
            axes.plot(draws, total, color=colour, linewidth=1.2, label=label)
            for rival in {*guided["cpu_seconds_per_draw"].iloc[[0, -1]]} if len(guided) else ():
                saved = rival - row["cpu_seconds_per_draw"]
                at = row["training_cpu_seconds"] / saved if saved > 0 else np.inf
                if 1 <= at <= MOST:
                    axes.plot(at, at * rival, "o", color=colour, markersize=4)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("draws")
        axes.set_ylabel("CPU seconds in all, training included (one thread)")
        axes.grid(color="#dddddd", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside right upper", frameon=False, title="relative fiber loss")
        path.parent.mkdir(parents=True, exist_ok=True)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(path, format="svg", metadata=nothing)


if __name__ == "__main__":
    draw(pd.read_csv(ROOT / "benchmarks" / "results" / "break_even.csv"), PICTURE)
