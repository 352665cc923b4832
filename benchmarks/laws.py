"""Distance to the truth where fibers are curved or in several parts, for every sampler.

Command   OMP_NUM_THREADS=1 python benchmarks/laws.py [--laws ring product] [--schedules vp flow]
Writes    benchmarks/results/laws.csv, a row as soon as it is measured (the same row is replaced)
Expect    twisted near the floor on all; the others wrong by their weights of the parts. An hour of
          one core for all

sw1 is sliced W1 to 20,000 exact draws, tv the total variation of the weights of the parts, each
beside its floor (what as many exact draws have); fiber_rms the mean distance to the fiber. cost
counts a forward of the prior 1 and a backward 2, per draw; ess is the median of the least effective
sample size, as a share of the particles.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import torch
from tabulated import head

from fiber_audit._draw.meter import Meter
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.sampling import Noise, derive_seed, rms
from fiber_audit.testing import LAWS, Law

OUT = Path(__file__).parent / "results" / "laws.csv"
SAMPLERS: dict[str, list[dict[str, Any]]] = {
    "twisted": [{}, {"particles": 4}],
    "moment-matched": [
        {},
        {"pace": "gradual"},
        {"steps": 80, "order": 1, "eta": 1.0},
        {"guided_below": 0.7},
    ],
    "ndtm": [{"guidance": 10.0}],
    "dps": [{"strength": 0.1}],
    "mpgd": [{"strength": 0.1}],
    "freedom": [{"strength": 0.1}],
    "ugd": [{"strength": 3.0}],
    "tfg": [{"strength": 0.1}],
    "red-diff": [{"strength": 3.0}],
    "unconditional": [{}],
}
KEY = ("law", "schedule", "sampler", "options", "n", "seed")


def measured(law: Law, factory: Any, options: dict[str, Any], n: int, seed: int) -> dict[str, Any]:
    """One sampler on one law."""
    problem, sampler = law.problem(n), factory(**options)
    sampler.prepare(problem.extractor, problem.prior)
    started = time.process_time()
    with Meter(problem.prior, problem.extractor) as cost:
        noise = Noise([derive_seed("laws", seed, i) for i in range(n)])
        drawn = sampler.sample(problem, noise)
    seconds = time.process_time() - started
    kept = drawn.states[drawn.finite]
    sw1, tv = law.distances(kept)
    ess = drawn.diagnostics.get("ess")
    return {
        "sw1": sw1,
        "tv": tv,
        "fiber_rms": float(rms(problem.features(kept) - problem.targets[: len(kept)]).mean()),
        "finite": float(drawn.finite.double().mean()),
        "cost": (cost.prior_forward + 2 * cost.prior_backward) / n,
        "extractor_cost": (cost.extractor_forward + 2 * cost.extractor_backward) / n,
        "ess": float(ess.median()) if ess is not None else "",
        "seconds": seconds / n,
    }


def written(row: dict[str, Any]) -> None:
    """Add a row to the table, or replace it."""
    rows = list(csv.DictReader(OUT.open(newline=""))) if OUT.exists() else []
    text = {k: f"{v:.5g}" if isinstance(v, float) else str(v) for k, v in row.items()}
    rows = [old for old in rows if any(old[k] != text[k] for k in KEY)] + [text]
    with OUT.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(text), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Measure, print and write as it goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--laws", nargs="+", default=list(LAWS))
    parser.add_argument("--schedules", nargs="+", default=["vp", "flow"])
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS))
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    first = head()
    catalogue = Catalogue.load()
    for name in asked.laws:
        for schedule in asked.schedules:
            law = LAWS[name](schedule)
            floor = dict(zip(("sw1_floor", "tv_floor"), law.floor(asked.n), strict=True))
            for sampler in asked.samplers:
                factory = catalogue.find("sampler", sampler).factory
                for options in SAMPLERS[sampler]:
                    for seed in asked.seeds:
                        text = " ".join(f"{k}={v}" for k, v in options.items()) or "defaults"
                        where = {"law": name, "schedule": schedule, "sampler": sampler}
                        where |= {"options": text, "n": asked.n, "seed": seed}
                        found = measured(law, factory, options, asked.n, seed)
                        row = {**first, **where, **floor, **found}
                        written(row)
                        print(
                            f"{name:10s} {schedule:4s} {sampler:14s} {text:28s} seed {seed} "
                            f"SW1 {row['sw1']:.3f} ({row['sw1_floor']:.3f}) TV {row['tv']:.3f} "
                            f"({row['tv_floor']:.3f}) fiber {row['fiber_rms']:.1e} "
                            f"cost {row['cost']:.0f}",
                            flush=True,
                        )


if __name__ == "__main__":
    main()
