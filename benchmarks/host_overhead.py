"""What the host costs on top of the prior and the extractor, and what more draws cost in memory.

Command   python benchmarks/host_overhead.py
Writes    benchmarks/results/host_overhead.csv
Expect    overhead at most 5 % of the sampling time; peak memory the same for 1 and 8 blocks

Time: the same draws by `runner.run` (plan, store, records, report left out by shard) and by
calling the sampler, alternating in one process. Memory: peak resident size of a child process
that draws 1 or 8 blocks of 32.
"""

from __future__ import annotations

import csv
import datetime
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from fiber_audit import Noise
from fiber_audit.components import Components
from fiber_audit.contracts import Problem
from fiber_audit.plan import audits, blocks, units
from fiber_audit.plugins import Catalogue
from fiber_audit.store import Store
from fiber_audit.suite import Suite, parse
from fiber_audit.work import Work

OUT = Path(__file__).parent / "results" / "host_overhead.csv"
REPEATS = 3


def suite_of(draws: int) -> Suite:
    """32 queries in blocks of 32: one block per draw."""
    return parse(
        {
            "name": "overhead",
            "draws": draws,
            "batch_size": 32,
            "metrics": ["fiber_loss_rms"],
            "queries": {"use": "color-mnist", "n": 32},
            "extractors": {"shape": {"use": "color-mnist-shape"}},
            "priors": {"latent": {"use": "color-mnist-latent"}},
            "samplers": {"ndtm": {"steps": 50, "inner_steps": 4}},
        },
        Catalogue.load(),
    )


def times() -> tuple[list[float], list[float]]:
    """Seconds of one block, through the host and without it, alternating."""
    suite = suite_of(1)
    components = Components(suite, Catalogue.load())
    audit = audits(suite)[0]
    planned = units(suite, audit, components.queries, {})
    (block,) = blocks(audit, planned, suite.batch_size)
    problem = Problem(
        components.extractor("shape"),
        components.prior("latent"),
        components.queries.data,
        components.targets("shape", "latent"),
    )
    with_host, without = [], []
    with tempfile.TemporaryDirectory() as folder:
        work = Work(suite.model_dump_json(exclude_none=True), Path(folder))
        work(block)  # components are made once per process
        for _ in range(REPEATS):
            started = time.perf_counter()
            outcome = work(block)
            with_host.append(time.perf_counter() - started)
            if outcome.status != "ok":
                raise SystemExit(outcome.message)
            started = time.perf_counter()
            components.sampler("ndtm").sample(problem, Noise([u.seed for u in planned]))
            without.append(time.perf_counter() - started)
        assert Store(Path(folder)).finished(audit)
    return with_host, without


def peak(draws: int) -> float:
    """Peak resident megabytes of a process that draws `draws` blocks."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", str(draws)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split()[-1])


def child(draws: int) -> None:
    """Draw, then print the peak resident size in megabytes."""
    torch.set_num_threads(1)
    suite = suite_of(draws)
    components = Components(suite, Catalogue.load())
    audit = audits(suite)[0]
    with tempfile.TemporaryDirectory() as folder:
        work = Work(suite.model_dump_json(exclude_none=True), Path(folder))
        for block in blocks(audit, units(suite, audit, components.queries, {}), suite.batch_size):
            work(block)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Measure, print and write one row."""
    torch.set_num_threads(1)
    with_host, without = times()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    row = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit,
        "machine": f"{os.cpu_count()} x {platform.processor() or platform.machine()}",
        "seconds_with_host": round(min(with_host), 4),
        "seconds_sampler_alone": round(min(without), 4),
        "overhead": round(min(with_host) / min(without) - 1, 4),
        "peak_mb_1_block": round(peak(1), 1),
        "peak_mb_8_blocks": round(peak(8), 1),
    }
    print(row)
    with OUT.open("w", newline="") as file:
        writer = csv.DictWriter(file, row.keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(int(sys.argv[2]))
    else:
        main()
