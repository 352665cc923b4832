"""Does `twisted` scale to 48 features? Color MNIST, latent prior, one way at a time.

Command   OMP_NUM_THREADS=1 python benchmarks/color_mnist/twisted_scaling.py [--queries 64]
Writes    benchmarks/results/twisted_scaling.csv, a row as soon as it is measured, in place of the
          same way's with as many queries and draws
Expect    an hour or two of one core for 64 queries x 2 draws

Losses are relative to random pairs of the queries, before (landing) and after the polish; W1 is
that of background colours, beside the floor of as many true samples; ess is the least effective
sample size of all steps, as a share of the particles; evaluations of the prior per draw, a backward
counts 2, and of the extractor; seconds of one shared core, per draw.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import torch
from fiber_audit_color_mnist.colouring import background_of, sample_colours
from fiber_audit_color_mnist.metrics.colour_law import counts_of, law
from fiber_audit_color_mnist.metrics.colour_w1 import wasserstein

from fiber_audit._draw.meter import Meter
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.contracts import Problem
from fiber_audit.sampling import Noise, derive_seed, rms

sys.path.insert(0, str(Path(__file__).parents[1]))
from tabulated import head, merged, write

OUT = Path(__file__).parents[1] / "results" / "twisted_scaling.csv"
SHORT = {"particles": 4, "steps": 16}
LATE: dict[str, Any] = {**SHORT, "directions": 12, "hand_over": 1.0}
KEY = ("prior", "queries", "draws", "way")
"""What tells a row from the others."""
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "moment-matched": ("moment-matched", {}),
    "moment-matched, whole": ("moment-matched", {"pace": "whole"}),
    "moment-matched, late": ("moment-matched", {"guided_below": 1.5}),
    "sketch of 12": ("twisted", {**SHORT, "directions": 12, "hand_over": 0.0}),
    "sketch of 12, tempered": (
        "twisted",
        {**SHORT, "directions": 12, "hand_over": 0.0, "temper_below": 0.5},
    ),
    "sketch of 12, from 5 down": (
        "twisted",
        {**SHORT, "directions": 12, "hand_over": 0.0, "guided_below": 5.0},
    ),
    "sketch of 12, handed over": ("twisted", LATE),
    "sketch of 12, handed over, from 5 down": ("twisted", {**LATE, "guided_below": 5.0}),
    "sketch of 12, handed over, from 1.5 down": (
        "twisted",
        {**LATE, "steps": 30, "guided_below": 1.5, "hand_over": 0.3},
    ),
    "sketch of 6, handed over": ("twisted", {**LATE, "directions": 6}),
    "sketch of 6, handed over, 16 particles": (
        "twisted",
        {**LATE, "directions": 6, "particles": 16},
    ),
    "all 48, handed over": ("twisted", {**LATE, "directions": 48}),
    "all 48": ("twisted", {**SHORT, "directions": 48, "hand_over": 0.0}),
}
"""Way -> sampler and options."""


def world(queries: int, draws: int, prior: str) -> Problem:
    """The first held-out digits, each so many times."""
    catalogue = Catalogue.load()
    make = {kind: catalogue.find(kind, name).factory for kind, name in (
        ("prior", f"color-mnist-{prior}"),
        ("extractor", "color-mnist-shape"),
        ("dataset", "color-mnist"),
    )}  # fmt: skip
    x = make["dataset"](n=queries).load(range(queries)).repeat_interleave(draws, 0)
    extractor, generator = make["extractor"](), make["prior"]()
    for module in (extractor.network, *generator.modules.values()):
        module.requires_grad_(False)
    with torch.no_grad():
        return Problem(extractor, generator, x, extractor.features(x))


def w1(colours: torch.Tensor) -> float:
    """W1 of background colours (n, 3) to their law."""
    return wasserstein(counts_of(colours.numpy()), law())


def measured(problem: Problem, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """One way."""
    sampler = Catalogue.load().find("sampler", name).factory(**options)
    known = sampler.prepare(problem.extractor, problem.prior)
    n, started = len(problem.targets), time.process_time()
    with Meter(problem.prior, problem.extractor) as cost:
        drawn = sampler.sample(problem, Noise([derive_seed("scaling", i) for i in range(n)]))
    seconds = time.process_time() - started
    t = problem.targets
    null = torch.cdist(t, t)[~(t[:, None] == t).all(2)].mean() / t.shape[1] ** 0.5
    with torch.no_grad():
        loss = rms(problem.extractor.features(drawn.data) - t) / null
    colours = background_of(drawn.data)
    found: dict[str, Any] = {
        "loss": float(loss.mean()),
        "loss_median": float(loss.median()),
        "w1": w1(colours),
        "landing": float(drawn.diagnostics["landing"].mean() / null)
        if "landing" in drawn.diagnostics
        else "",
    }
    for key in ("ess", "ess_mean", "resampled", "rho", "spread"):
        row = drawn.diagnostics.get(key)
        found[key] = float(row.median()) if row is not None else ""
    return found | {
        "prior_cost": (cost.prior_forward + 2 * cost.prior_backward) / n,
        "extractor_cost": (cost.extractor_forward + 2 * cost.extractor_backward) / n,
        "seconds": seconds / n,
        "calibration_seconds": known.seconds,
        "finite": float(drawn.finite.float().mean()),
    }


def main() -> None:
    """Measure, print and write as it goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=64)
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--prior", default="latent", choices=["latent", "flow"])
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    problem = world(asked.queries, asked.draws, asked.prior)
    n = len(problem.targets)
    generators = (torch.Generator().manual_seed(i) for i in range(100))
    floor = sum(w1(sample_colours(n, g)) for g in generators) / 100
    about = {
        **head(),
        "prior": asked.prior,
        "queries": asked.queries,
        "draws": asked.draws,
        "w1_floor": floor,
    }
    for way in asked.ways:
        name, options = WAYS[way]
        text = " ".join(f"{key}={value}" for key, value in options.items()) or "defaults"
        row = {**about, "way": way, "sampler": name, "options": text}
        row |= measured(problem, name, options)
        print({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()}, flush=True)
        write(asked.out, merged(asked.out, [row], KEY))


if __name__ == "__main__":
    main()
