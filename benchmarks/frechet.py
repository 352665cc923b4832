"""Speed and agreement of the Fréchet distance against torch-fidelity's eigvals form.

Command   OMP_NUM_THREADS=1 python benchmarks/frechet.py            (about four minutes)
Writes    benchmarks/results/frechet.csv
Expect    trace term: 100 x at n = 500, 2.5 x at n = 5000; features to distance: 50 x and 1.5 x

Both run in one process on the same features, alternating, on one thread; times are CPU seconds,
the best of the repeats, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import platform
import subprocess
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
            start = time.process_time()
            best[2 + i] = run()
            best[i] = min(best[i], time.process_time() - start)
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
    rows = [frechet._Rows.of(x.double().numpy()) for x in (a, b)]
    s_a, s_b = (row.covariance() for row in rows)

    def our_trace() -> float:
        if n < d:
            return frechet._nuclear(*(row.root() for row in rows))
        found = frechet._generalised(s_a, s_b)
        return frechet._nuclear(*(row.root() for row in rows)) if found is None else found

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
    return f"{cpu}, 1 thread; {versions}, torch-fidelity {torch_fidelity.__version__}"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--d", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for n, decay in ((500, 1.0), (5000, 1.0), (5000, 6.0)):
        for what, (ours, theirs) in cases(n, options.d, decay).items():
            repeats = 1 if n < options.d else options.repeats
            seconds, their_seconds, value, their_value = timed(ours, theirs, repeats)
            ratio = their_seconds / seconds
            target = TARGETS.get((what, n), "") if decay == 1 else ""
            rows.append({
                "date": datetime.date.today().isoformat(), "commit": commit(),
                "machine": machine(), "what": what, "n": n, "d": options.d,
                "spectrum": f"standard deviations over 1e{decay:g}",
                "seconds": f"{seconds:.4f}", "torch_fidelity_seconds": f"{their_seconds:.4f}",
                "times_faster": f"{ratio:.2f}", "target": target,
                "value": f"{value:.12g}", "torch_fidelity_value": f"{their_value:.12g}",
                "relative_difference": f"{abs(value / their_value - 1):.1e}",
            })  # fmt: skip
            print(f"n={n} decay=1e{decay:g} {what}: {seconds:.3f} s against {their_seconds:.3f} s, "
                  f"{ratio:.1f} x (target {target or 'none'}), "
                  f"relative difference {rows[-1]['relative_difference']}", flush=True)  # fmt: skip
    options.out.parent.mkdir(exist_ok=True)
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
