"""Speed and agreement of the Fréchet distance against torch-fidelity's eigvals form.

Command   python benchmarks/frechet.py                  (about ten minutes)
Writes    benchmarks/results/frechet.csv
Expect    trace term: 100 x at n = 500, 2.5 x at n = 5000; features to distance: 50 x and 1.5 x

Both run in one process on the same features, alternating; times are wall seconds, the best of the
repeats. One process uses one thread, another as many as the library takes by default, which is
what a user of either meets: numpy's eigvals is then slower, not faster.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy
import torch
import torch_fidelity
from fiber_audit_fid import frechet
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

OUT = Path(__file__).parent / "results" / "frechet.csv"
TARGETS = {
    ("trace term", 500): 100,
    ("trace term", 5000): 2.5,
    ("features to distance", 500): 50,
    ("features to distance", 5000): 1.5,
}


def timed(ours: Callable[[], float], theirs: Callable[[], float], repeats: int) -> list[float]:
    """Alternate the two: [our seconds, their seconds, our value, their value]."""
    best = [np.inf, np.inf, 0.0, 0.0]
    for _ in range(repeats):
        for i, run in enumerate((ours, theirs)):
            start = time.perf_counter()
            best[2 + i] = run()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def features(n: int, d: int, decay: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Two float32 sets; standard deviations fall over `decay` powers of ten."""
    rng = np.random.default_rng(0)
    scale = 10 ** (-decay * np.arange(d) / d)
    mix = np.linalg.qr(rng.standard_normal((d, d)))[0]
    sets = [rng.standard_normal((n, d)) * s * scale @ mix + 0.4 for s in (1, 1.1)]
    first, second = (torch.from_numpy(x.astype(np.float32)) for x in sets)
    return first, second


def their_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """torch-fidelity, features to distance."""
    statistics = [fid_features_to_statistics(x) for x in (a, b)]
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


def cases(n: int, d: int, decay: float) -> dict[str, tuple[Callable, Callable]]:
    """What to compare -> (ours, theirs)."""
    a, b = features(n, d, decay)
    x, y = ((rows - rows.mean(0)) for rows in (a.double().numpy(), b.double().numpy()))
    s_a, s_b = x.T @ x / (n - 1), y.T @ y / (n - 1)  # given to both

    def our_trace() -> float:
        found = frechet._generalised(s_a, s_b) if n >= d else None
        return frechet.trace_term(x, y) / (n - 1) if found is None else found

    def their_trace() -> float:
        return float(np.sqrt(np.linalg.eigvals(s_a.dot(s_b)).astype("complex128")).real.sum())

    return {
        "trace term": (our_trace, their_trace),
        "features to distance": (
            lambda: frechet.frechet_distance(a, b),
            lambda: their_distance(a, b),
        ),
    }


def commit() -> str:
    """The commit that was measured, with + if the tree differs from it."""

    def git(*words: str) -> str:
        found = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
        return found.stdout.strip()

    dirty = git("status", "--porcelain", "--untracked-files=no", "plugins/fiber_audit_fid")
    return git("rev-parse", "--short", "HEAD") + ("+" if dirty else "")


def machine() -> str:
    """Processor and libraries."""
    cpu = next(
        (x.split(":")[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines()
         if x.startswith("model name")),
        platform.processor(),
    ) if Path("/proc/cpuinfo").exists() else platform.processor()  # fmt: skip
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}"
    return f"{cpu}, {os.cpu_count()} cores; {versions}, torch-fidelity {torch_fidelity.__version__}"


def measure(threads: str, d: int, repeats: int) -> list[dict[str, object]]:
    """One row per case, in this process."""
    rows: list[dict[str, object]] = []
    for n, decay in ((500, 0.0), (5000, 0.0), (500, 1.0), (5000, 1.0), (5000, 6.0)):
        for what, (ours, theirs) in cases(n, d, decay).items():
            seconds, their_seconds, value, their_value = timed(ours, theirs, repeats)
            target = TARGETS.get((what, n), "") if decay == 0 else ""
            rows.append({
                "date": datetime.date.today().isoformat(), "commit": commit(),
                "machine": machine(), "threads": threads, "what": what, "n": n, "d": d,
                "spectrum": f"standard deviations over 1e{decay:g}",
                "seconds": f"{seconds:.4f}", "torch_fidelity_seconds": f"{their_seconds:.4f}",
                "times_faster": f"{their_seconds / seconds:.2f}", "target": target,
                "value": f"{value:.12g}", "torch_fidelity_value": f"{their_value:.12g}",
                "relative_difference": f"{abs(value / their_value - 1):.1e}",
            })  # fmt: skip
            print(*(f"{key}={rows[-1][key]}" for key in (
                "threads", "n", "spectrum", "what", "seconds", "torch_fidelity_seconds",
                "times_faster", "target", "relative_difference")), flush=True)  # fmt: skip
    return rows


def main() -> None:
    """Measure in a process with one thread and in one with the default, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--d", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--threads", choices=("1", "default"), help="only this one")
    options = parser.parse_args()
    options.out.parent.mkdir(exist_ok=True)
    if options.threads:
        rows = measure(options.threads, options.d, options.repeats)
        new = not options.out.exists()
        with options.out.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerows(rows)
        return
    options.out.unlink(missing_ok=True)
    for threads in ("1", "default"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {k: v for k, v in os.environ.items() if k not in names}
        if threads == "1":
            environment |= dict.fromkeys(names, "1")
        command = [sys.executable, __file__, *sys.argv[1:], "--threads", threads]
        subprocess.run(command, env=environment, check=True)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
