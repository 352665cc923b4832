"""The picture of `pareto.py`: one panel per prior, x colour W1, y relative fiber loss.

Command   python benchmarks/color_mnist/pareto_picture.py
Writes    docs/img/pareto.svg, from benchmarks/results/pareto.csv
Expect    moment-matched to the lower left; the area of a marker is proportional to its cost
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "docs" / "img" / "pareto.svg"
COLOURS = {
    "unconditional": "#8a8a8a",
    "moment-matched": "#c0392b",
    "ndtm": "#1f5fa8",
    "dps": "#2e8b57",
    "mpgd": "#b8860b",
    "freedom": "#7d3c98",
    "ugd": "#16858a",
    "tfg": "#d2691e",
    "red-diff": "#5d6d3b",
}
PER_EVALUATION = 0.06
"""Area of a marker in square points, for one evaluation of the prior."""
KEY = (200, 800, 3200)
STRENGTHS = r"defaults|(strength|guidance)=\S+"


def panel(axes: Axes, rows: pd.DataFrame) -> None:
    """One prior: a line per sampler through its strengths; other options of it are beside it."""
    for sampler, colour in COLOURS.items():
        found = rows[rows["sampler"] == sampler]
        if found.empty:
            continue
        x, y = found["colour_w1"], found["fiber_loss"]
        front = 3 if sampler == "moment-matched" else 2
        line = found[found["options"].str.fullmatch(STRENGTHS)]
        axes.plot(
            line["colour_w1"],
            line["fiber_loss"],
            color=colour,
            linewidth=1,
            alpha=0.6,
            zorder=front,
        )
        axes.scatter(
            x, y, s=PER_EVALUATION * found["cost"], color=colour, alpha=0.75, linewidths=0,
            zorder=front,
        )  # fmt: skip
    floor = rows["colour_w1_floor"].iloc[0]
    axes.axvline(floor, color="#8a8a8a", linewidth=0.8, linestyle=":", zorder=1)
    first = rows.iloc[0]
    axes.set_title(f"{first['prior']} ({first['queries']} queries, {first['draws']} draws)")
    axes.set_yscale("log")
    axes.set_xscale("log")
    axes.set_xlabel("colour W1 (dotted: floor)")
    axes.grid(color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    axes.spines[["top", "right"]].set_visible(False)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw all priors of the table."""
    names = list(dict.fromkeys(table["prior"]))
    with mpl.rc_context({"svg.hashsalt": "pareto", "font.size": 9}):
        figure = Figure(figsize=(3.6 * len(names) + 1.4, 3.9), layout="constrained")
        every = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
        for axes, name in zip(every, names, strict=True):
            panel(axes, table[table["prior"] == name])
        every[0].set_ylabel("fiber loss, relative to random pairs")
        used = [s for s in COLOURS if (table["sampler"] == s).any()]
        handles = [Line2D([], [], marker="o", color=COLOURS[s], label=s) for s in used]
        handles += [
            Line2D(
                [], [], linestyle="none", marker="o", color="#bbbbbb", label=f"{cost} evaluations",
                markersize=(PER_EVALUATION * cost) ** 0.5,
            )
            for cost in KEY
        ]  # fmt: skip
        figure.legend(handles=handles, loc="outside right center", frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(path, format="svg", metadata=nothing)


if __name__ == "__main__":
    draw(pd.read_csv(HERE.parent / "results" / "pareto.csv"), PICTURE)
