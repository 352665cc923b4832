"""How much faster two workers are than one, on the networks of the Color MNIST suite.

Command   OMP_NUM_THREADS=1 python benchmarks/executors.py
Writes    benchmarks/results/executors.csv
Expect    on two quiet cores: `local` with 2 workers at least 1.8 x one worker, `ray` at least 1.6 x

Every executor draws and observes the same blocks of the suite, in a run directory of its own. The
first blocks of a run are not timed: in them, workers start and load the networks. What is timed is
the rest, from the first block dealt to the last file written. Executors alternate.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import torch

from fiber_audit._draw.draw import draw
from fiber_audit._draw.missing import Pieces, to_do
from fiber_audit._draw.prepare import prepare
from fiber_audit._draw.store import Store
from fiber_audit._draw.work import Work
from fiber_audit._score.directory import begin
from fiber_audit._suite.catalogue import Catalogue, Loaded
from fiber_audit._suite.read import read

OUT = Path(__file__).parent / "results" / "executors.csv"
EXECUTORS = [("local", 1), ("local", 2), ("ray", 2)]


def timed(use: str, workers: int, queries: int, warm: int) -> tuple[float, int]:
    """(seconds of a run beyond its first `warm` blocks of audits, how many blocks those were)."""
    catalogue = Catalogue.load()
    settings = [f"executor.use={use}", f"executor.workers={workers}", f"queries.n={queries}"]
    suite = read("color-mnist", catalogue, [*settings, "batch_size=16"])
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "run")
        prepared = prepare(suite, catalogue, store)
        begin(store, prepared)
        suite_json = suite.model_dump_json(exclude_none=True)
        work = Work(suite_json, store.path, Loaded(), None, prepared.components)
        first, then = to_do(prepared, store)
        with prepared.components.executor() as executor:
            begun = draw((first, then[:warm]), work, executor, store, lambda *_: None)
            started = time.perf_counter()
            done = draw((Pieces(prepared.plan, ()), then[warm:]), work, executor, store,
                        lambda *_: None)  # fmt: skip
            seconds = time.perf_counter() - started
    if begun.failed or done.failed:
        raise SystemExit(f"{use}: {begun.failed or done.failed}")
    return seconds, len(then) - warm


def main() -> None:
    """Measure, print and write a row per executor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=32)
    parser.add_argument("--warm", type=int, default=4, help="blocks of audits that are not timed")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    seconds: dict[tuple[str, int], list[float]] = {each: [] for each in EXECUTORS}
    blocks = 0
    for repeat in range(asked.repeats):
        for use, workers in EXECUTORS:
            taken, blocks = timed(use, workers, asked.queries, asked.warm)
            seconds[use, workers].append(taken)
            print(
                f"repeat {repeat}: {use} with {workers}: {taken:.2f} s for {blocks} blocks",
                flush=True,
            )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    one = seconds["local", 1]
    rows = [
        {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "commit": commit,
            "machine": f"{os.cpu_count()} x {platform.processor() or platform.machine()}",
            "executor": use,
            "workers": workers,
            "blocks": blocks,
            "repeats": asked.repeats,
            "seconds_median": round(statistics.median(found), 2),
            "speedup_median": round(
                statistics.median(a / b for a, b in zip(one, found, strict=True)), 3
            ),
        }
        for (use, workers), found in seconds.items()
    ]
    with asked.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
