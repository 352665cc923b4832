"""NDTM against the same algorithm as a textbook prints it: seconds and evaluations, in pairs.

Command   OMP_NUM_THREADS=1 python benchmarks/ndtm_speed.py            (about five minutes)
Writes    benchmarks/results/ndtm_speed.csv
Expect    ratio of CPU time on the latent prior: 0.5 to the plain loop, which optimises at every
          step, and 0.95 to one that skips what has no effect; on the Gaussian 0.4 and 0.7

Two rivals, both in tests/plugins/textbook_ndtm.py, both with torch.optim.Adam and the unguided
prediction of every step evaluated on its own:
    textbook              skips the inner loop where gamma = 0, as arXiv 2603.21782 does
    textbook, every step  optimises at every step, as in arXiv 2502.03686; where gamma = 0 its
                          control has no effect, so the draws are the same
All three take turns in one process; ratios are medians over the rounds, of wall and of CPU time
(CPU time is the fairer one on a machine that does other work).
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import platform
import runpy
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from fiber_audit._draw.meter import Meter
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.contracts import Problem
from fiber_audit.sampling import Noise, derive_seed
from fiber_audit.testing import gaussian_problem

ROOT = Path(__file__).parents[1]
OUT = Path(__file__).parent / "results" / "ndtm_speed.csv"
TEXTBOOK = ROOT / "tests" / "plugins" / "textbook_ndtm.py"


def latent_problem(catalogue: Catalogue, draws: int) -> Problem:
    """One draw for each of the first queries of Color MNIST, shape code, latent prior."""
    made = {
        kind: catalogue.find(kind, name).factory
        for kind, name in (("extractor", "color-mnist-shape"), ("prior", "color-mnist-latent"))
    }
    dataset = catalogue.find("dataset", "color-mnist").factory(n=draws)
    extractor, prior = made["extractor"](), made["prior"]()
    queries = dataset.load(range(draws))
    with torch.no_grad():
        return Problem(extractor, prior, queries, extractor.features(queries))


def compare(name: str, problem: Problem, rounds: int) -> list[dict[str, object]]:
    """One row per rival."""
    textbook = runpy.run_path(str(TEXTBOOK))["sample"]
    catalogue = Catalogue.load()
    sampler = catalogue.find("sampler", "ndtm").factory(steps=200, inner_steps=10, guidance=5.0)
    n = len(problem.targets)
    seeds = [derive_seed(0, i) for i in range(n)]
    runs: dict[str, Callable[[], Tensor]] = {
        "ndtm": lambda: sampler.sample(problem, Noise(seeds)).states,
        "textbook": lambda: textbook(problem, Noise(seeds), sampler),
        "textbook, every step": lambda: textbook(problem, Noise(seeds), sampler, always=True),
    }
    wall: dict[str, list[float]] = {key: [] for key in runs}
    cpu: dict[str, list[float]] = {key: [] for key in runs}
    states, costs = {}, {}
    for _ in range(rounds):
        for key, run in runs.items():
            started = time.perf_counter(), time.process_time()
            with Meter(problem.prior, problem.extractor) as cost:
                states[key] = run()
            wall[key].append(time.perf_counter() - started[0])
            cpu[key].append(time.process_time() - started[1])
            costs[key] = cost
            print(name, n, key, f"{wall[key][-1]:.2f} s, CPU {cpu[key][-1]:.2f} s", flush=True)
    rows = []
    for key in list(runs)[1:]:
        gap = (states["ndtm"] - states[key]).abs().flatten(1).max(1).values
        rows.append({
            "date": datetime.date.today().isoformat(), "commit": commit(), "machine": machine(),
            "prior": name, "draws": n, "steps": 200, "inner_steps": 10, "rival": key,
            "rounds": rounds, "seconds": f"{median(wall['ndtm']):.2f}",
            "rival_seconds": f"{median(wall[key]):.2f}",
            "ratio": f"{median(a / b for a, b in zip(wall['ndtm'], wall[key], strict=True)):.3f}",
            "ratio_cpu": f"{median(a / b for a, b in zip(cpu['ndtm'], cpu[key], strict=True)):.3f}",
            "prior_forward": f"{costs['ndtm'].prior_forward / n:g}",
            "rival_prior_forward": f"{costs[key].prior_forward / n:g}",
            "extractor_forward": f"{costs['ndtm'].extractor_forward / n:g}",
            "rival_extractor_forward": f"{costs[key].extractor_forward / n:g}",
            "prior_backward": f"{costs['ndtm'].prior_backward / n:g}",
            "rival_prior_backward": f"{costs[key].prior_backward / n:g}",
            "median_state_difference": f"{gap.median():.1e}",
        })  # fmt: skip
        print(rows[-1])
    return rows


def commit() -> str:
    """The commit that was measured, with + if the sampler differs from it."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(ROOT), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "plugins/fiber_audit_ndtm")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def machine() -> str:
    """Processor, threads and torch."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if os.name == "posix" else []
    cpu = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    threads = f"{os.cpu_count()} cores, {torch.get_num_threads()} thread"
    return f"{cpu or platform.processor()}, {threads}; torch {torch.__version__}"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--draws", type=int, nargs="+", default=[16])
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    catalogue, rows = Catalogue.load(), []
    for draws in options.draws:
        rows += compare("gaussian", gaussian_problem(draws), options.rounds)
        rows += compare("color-mnist-latent", latent_problem(catalogue, draws), options.rounds)
    options.out.parent.mkdir(exist_ok=True)
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
