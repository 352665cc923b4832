"""How often does a 95 % interval hold the truth? Every metric, on toy features with known truth.

Command   OMP_NUM_THREADS=1 python benchmarks/coverage.py [--repetitions 400] [--only METRIC ...]
          (15 minutes)
Writes    benchmarks/results/coverage.csv
Expect    .92 to .98 in `covers`, for 16 and 64 queries; see `of` for what is covered

Each repetition is an audit of its own: fresh queries, fresh draws, nothing shared. Toys: tables of
8 Gaussian columns of which phi sees 5, draws beside the fiber by an amount of each query's own,
lognormal with sigma .4 ("long tails": 1, which no interval of 16 numbers can know of); small images
of blocks with a grain of each query's own; colours around each query's own. `of` is what the
interval holds: "population" is the statistic of many thousand queries; "mean at this n" is the mean
over the repetitions, for statistics that are biased at any n and whose docs say so. ratio is the
stated standard error over the true one.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from coverage_toys import DRAWS, Sign, colours, image, table
from fiber_audit_attributes.column import Column
from fiber_audit_attributes.invariance import Invariance
from fiber_audit_color_mnist.metrics import ColourKept, ColourKL, ColourW1, ShapeAgreement
from fiber_audit_fid.blind_spot_metrics import BlindSpot, BlindSpotScore
from fiber_audit_fid.set_metrics import (
    Coverage,
    Density,
    Frechet,
    GaussianKernel,
    Kernel,
    Precision,
    Recall,
)
from fiber_audit_scoring.brittle import Brittle
from fiber_audit_scoring.diversity import Diversity
from fiber_audit_scoring.fiber_loss import FiberLossRMS, FiberLossSquared
from fiber_audit_scoring.fiber_loss_relative import FiberLossRelative
from fiber_audit_scoring.high_frequency import HighFrequency
from fiber_audit_scoring.off_manifold import OffManifold
from fiber_audit_scoring.plausibility import Plausibility
from fiber_audit_scoring.saturation import Saturation
from tabulated import head, write

from fiber_audit.contracts import Metric, Statistic
from fiber_audit.measuring import Observations
from fiber_audit.testing import measure

OUT = Path(__file__).parent / "results" / "coverage.csv"
SIZES = 16, 64
MANY, TIMES = 4096, 2
AT_THIS_N = {
    "blind_spot",
    "blind_spot_score",
    "colour_kl",
    "colour_w1",
    "coverage",
    "density",
    "frechet_distance",
    "gaussian_kernel_distance",
    "kernel_distance",
    "precision",
    "recall",
}
World = Callable[[int, torch.Generator], Any]
TOYS: dict[str, tuple[World, dict[str, Callable[[], Metric]]]] = {
    "table": (
        table,
        {
            "fiber_loss_relative": FiberLossRelative,
            "fiber_loss_rms": FiberLossRMS,
            "fiber_loss_sq": FiberLossSquared,
            "diversity": lambda: Diversity("other"),
            "plausibility": Plausibility,
            "invariance": lambda: Invariance({"number": Column(0), "class": Sign()}),
        },
    ),
    "long tails": (
        lambda q, g: table(q, g, 1.0),
        {
            "fiber_loss_relative": FiberLossRelative,
            "fiber_loss_rms": FiberLossRMS,
            "fiber_loss_sq": FiberLossSquared,
        },
    ),
    "image": (
        image,
        {
            "saturation": Saturation,
            "high_frequency": HighFrequency,
            "off_manifold": OffManifold,
            "brittle": Brittle,
        },
    ),
    "colours": (
        colours,
        {
            "colour_kl": ColourKL,
            "colour_w1": ColourW1,
            "colour_kept": ColourKept,
            "shape_agreement": ShapeAgreement,
        },
    ),
    "set": (
        table,
        {
            "frechet_distance": lambda: Frechet(extractor="other"),
            "kernel_distance": Kernel,
            "gaussian_kernel_distance": lambda: GaussianKernel(sigma=2.0),
            "precision": Precision,
            "recall": Recall,
            "density": Density,
            "coverage": Coverage,
            "blind_spot": lambda: BlindSpot(measured_by=["other", "third"]),
            "blind_spot_score": lambda: BlindSpotScore(measured_by=["other", "third"]),
        },
    ),
}


Key = tuple[str, str]


def found(metric: Metric, world: World, q: int, seed: int) -> dict[Key, Statistic]:
    """(statistic, seen by) -> what one audit says."""
    audit = world(q, torch.Generator().manual_seed(seed))
    if isinstance(audit, Observations):
        told = metric.summarise(audit)
    else:
        audit.seed = seed
        told = measure(metric, audit)
    return {(s.name, s.seen_by or ""): s for s in told if s.query is None}


def rows(names: set[str], repetitions: int) -> Iterator[dict[str, Any]]:
    """One row per metric, statistic and number of queries."""
    for toy, (world, metrics) in TOYS.items():
        for name, make in metrics.items():
            if names and name not in names:
                continue
            metric = make()
            large: dict[Key, float] = {}
            if name not in AT_THIS_N:
                every = [found(metric, world, MANY, 10**6 + i) for i in range(TIMES)]
                large = {key: _mean(every, key) for key in every[0]}
            for q in SIZES:
                runs = [found(metric, world, q, 1000 * q + i) for i in range(repetitions)]
                for key in runs[0]:
                    told = [r[key] for r in runs if key in r and r[key].ci_low is not None]
                    if len(told) < 0.9 * repetitions or len({s.value for s in told}) == 1:
                        continue  # it seldom has an interval, or is a constant
                    yield {"toy": toy, "metric": name, "statistic": key[0], "seen_by": key[1],
                           "q": q, "k": DRAWS, **covered(told, large.get(key))}  # fmt: skip


def _mean(every: list[dict[Key, Statistic]], key: Key) -> float:
    """Of one statistic over the audits that have it."""
    return float(np.mean([e[key].value for e in every if key in e]))


def covered(told: list[Statistic], population: float | None) -> dict[str, Any]:
    """How often the intervals hold the truth: the mean of the values where none is given."""
    values = np.array([s.value for s in told], dtype=float)
    low, high = (
        np.array([getattr(s, e) for s in told], dtype=float) for e in ("ci_low", "ci_high")
    )
    truth = float(values.mean()) if population is None else population
    share = float(((low <= truth) & (truth <= high)).mean())
    stderr = float(np.mean([s.stderr for s in told]))
    return {
        "repetitions": len(told),
        "of": "mean at this n" if population is None else "population",
        "truth": truth,
        "mean": float(values.mean()),
        "covers": share,
        "covers_se": math.sqrt(share * (1 - share) / len(told)),
        "below": float((truth < low).mean()),
        "above": float((truth > high).mean()),
        "width": float((high - low).mean()),
        "ratio": stderr / float(values.std(ddof=1)) if values.std() > 0 else math.nan,
    }


def earlier(again: set[str]) -> list[dict[str, Any]]:
    """The rows of the table that are not made again."""
    with OUT.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["metric"] not in again]


def main() -> None:
    """Simulate, print as it goes, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument(
        "--only", nargs="*", default=[], help="metrics; the rows of others are kept"
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    first = head()
    kept = earlier(set(given.only)) if given.only else []
    made: list[dict[str, Any]] = []
    for row in rows(set(given.only), given.repetitions):
        made.append({**first, **row})
        mark = " " if 0.92 <= row["covers"] <= 0.98 else "!"
        print(
            f"{mark} {row['metric']:24s} {row['statistic']:18s} {row['seen_by']:6s} "
            f"q {row['q']:3d} covers {row['covers']:.3f} ({row['below']:.3f} {row['above']:.3f}) "
            f"truth {row['truth']:.4g} mean {row['mean']:.4g} stderr x {row['ratio']:.2f}",
            flush=True,
        )
        write(OUT, [*kept, *made])


if __name__ == "__main__":
    main()
