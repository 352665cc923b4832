"""The picture of `figure4.py`: x colour KL, y fiber loss; a line per class, through its strengths.

Command   python benchmarks/color_mnist/figure4_picture.py
Writes    docs/img/figure4.svg, from benchmarks/results/figure4.csv
Expect    trained classes to the left, guided ones at the bottom, trained and guided in the corner
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "docs" / "img" / "figure4.svg"
CLASSES = {
    "unconditional": ("#8a8a8a", "s"),
    "ndtm": ("#1f5fa8", "o"),
    "moment-matched": ("#c0392b", "o"),
    "fff": ("#2e8b57", "^"),
    "fif": ("#7fbf7b", "^"),
    "nf": ("#b8860b", "^"),
    "dnf": ("#d2b48c", "^"),
    "mlf": ("#d2691e", "^"),
    "rombach-cinn": ("#8b4513", "v"),
    "cond-diffusion": ("#7d3c98", "D"),
    "cond-flow": ("#16858a", "D"),
    "cond-flow-even": ("#0b4f52", "D"),
    "cond-flow-corrected": ("#000080", "D"),
    "cond-diffusion-corrected": ("#4a0072", "D"),
    "cond-diffusion-estimate": ("#c39bd3", "D"),
    "cond-flow-estimate": ("#8fd3d6", "D"),
    "polished-cond-diffusion": ("#000000", "*"),
    "polished-cond-flow": ("#555555", "*"),
}
"""Class -> colour and marker: triangles are flows, diamonds walk, stars are guided and trained."""
SIZES = (18, 34, 58, 90)
"""Square points, from the least strength to the greatest."""


def class_of(label: str) -> str:
    """The class of a sampler of the suite: its name without the strength.

    >>> class_of("cond-flow-10"), class_of("moment-matched")
    ('cond-flow', 'moment-matched')
    """
    head, _, tail = label.rpartition("-")
    return head if tail.isdigit() else label


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw every class of the table on the latent prior."""
    rows = table[table["prior"] == "latent"].assign(kind=table["label"].map(class_of))
    with mpl.rc_context({"svg.hashsalt": "figure4", "font.size": 9}):
        figure = Figure(figsize=(7.6, 4.6), layout="constrained")
        axes = figure.subplots()
        for kind, (colour, marker) in CLASSES.items():
            found = rows[rows["kind"] == kind]
            if found.empty:
                continue
            x, y = found["colour_kl"], found["fiber_rms"]
            axes.plot(x, y, color=colour, linewidth=0.8, alpha=0.6)
            sizes = SIZES[: len(found)] if len(found) > 1 else SIZES[-2:-1]
            axes.scatter(x, y, s=sizes, color=colour, marker=marker, label=kind, linewidths=0)
        floor = rows["colour_kl_floor"].iloc[0]
        axes.axvline(floor, color="#8a8a8a", linewidth=0.8, linestyle=":")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("colour KL, consistency (dotted: floor)")
        axes.set_ylabel("fiber loss (RMS), fidelity")
        axes.grid(color="#dddddd", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside right center", frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(path, format="svg", metadata=nothing)


if __name__ == "__main__":
    draw(pd.read_csv(HERE.parent / "results" / "figure4.csv"), PICTURE)
