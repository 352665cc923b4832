"""What `pareto.py` and `ablations.py` share: run a suite prior by prior, and tabulate its samplers.

One row per prior and sampler. Losses are relative to random pairs of queries; W1 and KL of colours
stand beside the floor, what as many true samples would have; cost counts a forward of the prior 1
and a backward 2; evaluations and seconds are per draw. Finished draws are kept in `runs`: kill it
and run it again.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import fiber_audit
from fiber_audit import Suite

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
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


def only(suite: Suite, prior: str, samplers: Sequence[str]) -> Suite:
    """The suite with one of its priors and these of its samplers."""
    kept = {name: suite.samplers[name] for name in samplers}
    return suite.model_copy(update={"priors": {prior: suite.priors[prior]}, "samplers": kept})


def table(suite: Suite, records: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """One row per sampler, in the suite's order."""
    (prior,) = suite.priors
    pooled = records[records["query"].isna() & records["seen_by"].isna()]
    for label, use in suite.samplers.items():
        rows = pooled[pooled["audit"] == f"shape/{prior}/{label}"]
        values = rows.set_index(["metric", "statistic"])
        found = {name: values["value"].get(key) for name, key in STATISTICS.items()}
        loss, w1 = (values.loc[STATISTICS[name]] for name in ("fiber_loss", "colour_w1"))
        first = rows.iloc[0]
        yield {
            "date": str(first["started_at"])[:10],
            "commit": first["git_sha"][:7] if pd.notna(first["git_sha"]) else None,
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


def named(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """What tells a row from the others."""
    return row["prior"], row["sampler"], row["options"]


def written(out: Path, rows: list[dict[str, Any]]) -> None:
    """Replace the rows of the same priors, samplers and options in the table, each in its place."""
    fresh = {named(row): row for row in rows}
    old: list[dict[str, Any]] = []
    if out.exists():
        with out.open(newline="") as file:
            old = list(csv.DictReader(file))
    kept = [fresh.pop(named(row), row) for row in old]
    out.parent.mkdir(exist_ok=True)
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in sorted([*kept, *fresh.values()], key=lambda row: row["prior"] != "latent"):
            known = {k: v for k, v in row.items() if pd.notna(v)}
            writer.writerow(
                {k: f"{v:.5g}" if isinstance(v, float) else v for k, v in known.items()}
            )


def sweep(name: str, description: str) -> pd.DataFrame:
    """Run `<name>.toml` as the command line says; write and return the table.

    It is `results/<name>.csv` if no other is asked for.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--priors", nargs="+", help="all of the suite by default")
    parser.add_argument("--samplers", nargs="+", help="all of the suite by default")
    parser.add_argument("--queries", type=int)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where draws are kept")
    parser.add_argument("--out", type=Path, default=RESULTS / f"{name}.csv", help="the table")
    parser.add_argument("--set", nargs="*", default=[], help="of the suite: path=value")
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = [*([f"queries.n={options.queries}"] if options.queries else []), *options.set]
    suite = fiber_audit.load_suite(HERE / f"{name}.toml", settings=settings)
    for prior in options.priors or suite.priors:
        asked = only(suite, prior, options.samplers or list(suite.samplers))
        digest = sha256(asked.to_toml().encode()).hexdigest()
        where = options.runs / f"{name}-{prior}-{digest[:8]}"
        done = fiber_audit.run(asked, out=where, progress=True)
        written(options.out, list(table(asked, done.records)))
    return pd.read_csv(options.out)
