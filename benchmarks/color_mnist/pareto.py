"""Fidelity against consistency: every training-free sampler, over its strengths, per prior.

Command   OMP_NUM_THREADS=1 python benchmarks/color_mnist/pareto.py [--priors P] [--queries N]
Writes    benchmarks/results/pareto.csv (rows of these priors are replaced), docs/img/pareto.svg
Expect    moment-matched to the lower left of all others: nearer to the fiber than NDTM at any
          strength, colours at the floor, for a quarter of the evaluations. About two hours of one
          core for latent or flow; a draw on pixels costs ten times as much

It runs `pareto.toml`, one prior after another; kill it and run it again, finished draws are kept.
Losses are relative to random pairs of queries; W1 and KL of colours are beside the floor, what as
many true samples would have. cost counts a forward of the prior 1 and a backward 2, per draw.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from pareto_picture import draw

from fiber_audit import runner
from fiber_audit.plugins import Catalogue
from fiber_audit.suite import Suite, read

HERE = Path(__file__).parent
OUT = HERE.parent / "results" / "pareto.csv"
PICTURE = HERE.parents[1] / "docs" / "img" / "pareto.svg"
PRIORS = ("latent", "flow", "pixel")
STATISTICS = {
    "fiber_loss": ("fiber_loss_relative", "mean"),
    "fiber_loss_median": ("fiber_loss_relative", "median"),
    "colour_w1": ("colour_w1", "mean"),
    "colour_w1_floor": ("colour_w1", "floor"),
    "colour_kl": ("colour_kl", "mean"),
    "colour_kl_floor": ("colour_kl", "floor"),
    "shape_agreement": ("shape_agreement", "mean"),
    "diversity": ("diversity", "mean"),
    "saturation": ("saturation", "mean"),
    "high_frequency": ("high_frequency", "mean"),
    "off_manifold": ("off_manifold", "mean"),
}
COUNTS = ("prior_forward", "prior_backward", "extractor_forward", "extractor_backward")


def only(suite: Suite, prior: str) -> Suite:
    """The suite with one of its priors."""
    return suite.model_copy(update={"priors": {prior: suite.priors[prior]}})


def table(suite: Suite, records: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """One row per sampler, in the suite's order."""
    (prior,) = suite.priors
    pooled = records[records["query"].isna()]
    for label, use in suite.samplers.items():
        rows = pooled[pooled["audit"] == f"shape/{prior}/{label}"]
        values = rows.set_index(["metric", "statistic"])
        found = {name: values["value"].get(key) for name, key in STATISTICS.items()}
        loss, w1 = (values.loc[STATISTICS[name]] for name in ("fiber_loss", "colour_w1"))
        first = rows.iloc[0]
        yield {
            "date": str(first["started_at"])[:10],
            "commit": str(first["git_sha"])[:7],
            "machine": f"1 thread, torch {first['torch_version']}",
            "prior": prior,
            "sampler": use.use,
            "options": " ".join(f"{k}={v}" for k, v in use.options.items()) or "defaults",
            "queries": suite.queries.options["n"],
            "draws": suite.draws,
            "scored": int(loss["n"]),
            **found,
            "fiber_loss_low": loss["ci_low"],
            "fiber_loss_high": loss["ci_high"],
            "colour_w1_low": w1["ci_low"],
            "colour_w1_high": w1["ci_high"],
            **{name: first[name] for name in COUNTS},
            "cost": first["prior_forward"] + 2 * first["prior_backward"],
            "seconds": first["seconds"],
        }


def written(rows: list[dict[str, Any]], prior: str) -> None:
    """Replace the rows of one prior in the table."""
    kept: list[dict[str, Any]] = []
    if OUT.exists():
        with OUT.open(newline="") as file:
            kept = [row for row in csv.DictReader(file) if row["prior"] != prior]
    order = {name: i for i, name in enumerate(PRIORS)}
    lines = sorted([*kept, *rows], key=lambda row: order[row["prior"]])
    OUT.parent.mkdir(exist_ok=True)
    with OUT.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in lines:
            writer.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})


def main() -> None:
    """Run, tabulate, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--priors", nargs="+", choices=PRIORS, default=PRIORS)
    parser.add_argument("--queries", type=int, default=256)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the draws are kept")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the suite: path=value")
    options = parser.parse_args()
    torch.set_num_threads(1)
    catalogue = Catalogue.load()
    settings = [f"queries.n={options.queries}", *options.set]
    suite = read(str(HERE / "pareto.toml"), catalogue, settings)
    for prior in options.priors:
        asked = only(suite, prior)
        where = runner.Options(out=options.runs / f"pareto-{prior}-{asked.digest()[:8]}")
        done = runner.run(
            asked, catalogue, where, lambda done, total, what: print(done, total, what, flush=True)
        )
        written(list(table(asked, done.records)), prior)
    draw(pd.read_csv(OUT), PICTURE)


if __name__ == "__main__":
    main()
