"""Colour W1 of two runs of `pareto.py` on the same noise, query by query: the difference.

Command   python benchmarks/color_mnist/paired.py --run RUN... --than RUN
Writes    benchmarks/results/pareto_flow_paired.csv, anew
Expect    moment-matched minus NDTM gamma 5 on the flow, 256 x 2: around 0 by the defaults, above it
          by whole corrections, and by gradual ones from pure noise on

A run is a folder that `pareto.py --runs` keeps, of one sampler. Queries are found again in the
other run by the colours of their unguided draws, which are the same.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from fiber_audit_color_mnist.metrics.colour_law import counts_of, law
from fiber_audit_color_mnist.metrics.colour_w1 import wasserstein
from numpy.typing import NDArray

from fiber_audit.measuring import Estimate, difference_of, estimate

sys.path.insert(0, str(Path(__file__).parents[1]))
from tabulated import head, write

OUT = Path(__file__).parents[1] / "results" / "pareto_flow_paired.csv"
TRUTH = law()
Colours = NDArray[Any]


def seen(run: Path) -> tuple[Colours, Colours]:
    """Colours of draws and of unguided draws, (queries, draws, 3) each."""
    parts: dict[str, list[Colours]] = {"draws": [], "unguided": []}
    for path in sorted((run / "observed").glob("*.npz")):
        with np.load(path) as kept:
            q = len(kept["query"])
            for part, found in parts.items():
                # both colour metrics look at the same colours
                name = next(key for key in kept.files if key.endswith(f"{part}|background"))
                found.append(kept[name].reshape(q, -1, 3))
    draws, unguided = (np.concatenate(found) for found in parts.values())
    return draws, unguided


def w1(colours: Colours) -> Estimate:
    """Distance to the law, with what each query does to it."""
    return estimate(counts_of(colours), lambda total: wasserstein(total, TRUTH), 0, True)


def main() -> None:
    """Write a row per run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, nargs="+", required=True)
    parser.add_argument("--than", type=Path, required=True)
    asked = parser.parse_args()
    theirs, marks = seen(asked.than)
    rows = []
    for run in asked.run:
        draws, unguided = seen(run)
        apart = np.abs(unguided.reshape(len(draws), 1, -1) - marks.reshape(1, len(marks), -1))
        same = apart.max(2).argmin(1)
        assert sorted(same) == list(range(len(draws))), "the runs have other queries"
        assert apart.max(2).min(1).max() < 1e-5, "the runs have other noise"
        minus = difference_of(w1(draws), w1(theirs[same]))
        suite = tomllib.loads((run / "suite.toml").read_text())
        ((_, use),) = suite["samplers"].items()
        options = " ".join(f"{k}={v}" for k, v in use.items() if k != "use") or "defaults"
        rows.append(
            {
                **head(),
                "sampler": use["use"],
                "options": options,
                "queries": draws.shape[0],
                "draws": draws.shape[1],
                "minus": minus.value,
                "low": minus.ci_low,
                "high": minus.ci_high,
            }
        )
    write(OUT, rows)
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
