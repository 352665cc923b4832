"""What the default run costs, and what it finds: `fiber-audit run`, as a user starts it.

Command   OMP_NUM_THREADS=1 python benchmarks/default_run.py [--runs 3] [--set executor.workers=2 …]
Writes    benchmarks/results/default_run.csv
Expect    at most 45 s on two cores that have nothing else to do; every condition passes

A row per run: seconds on the clock, seconds of CPU of all its processes, the largest of them in
MB. Then a row per extractor of the last run: how far draws are from their fiber, relative to random
pairs, and the sentence that the run ends with. The README quotes these.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tabulated import head, write

from fiber_audit import records
from fiber_audit._report.tiles import sentences
from fiber_audit._score.exhibits import load as load_exhibits

OUT = Path(__file__).parent / "results" / "default_run.csv"


def timed(arguments: Sequence[str], out: Path) -> dict[str, float]:
    """Run the command into a folder: what it cost."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    line = ["fiber-audit", "run", *arguments, "--out", str(out), "--fail-on", "inconclusive"]
    subprocess.run([*line, "--fail-on", "fail"], check=True)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": after.ru_maxrss / 1024}


def found(out: Path) -> Iterator[dict[str, Any]]:
    """What a run says of each extractor."""
    table = records.headlines(records.read(out))
    losses = table[table["metric"] == "fiber_loss_relative"]
    told = {each.audit: each.text for each in sentences(load_exhibits(out), {})}
    for _, row in losses.iterrows():
        ends = {"low": row["ci_low"], "high": row["ci_high"]}
        loss = {"fiber_loss_relative": row["value"], **ends}
        yield {"extractor": row["extractor"], **loss, "sentence": told[row["audit"]]}


def main() -> None:
    """Run, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--note", default="", help="what else the machine was doing")
    given = parser.parse_args()
    arguments = [word for setting in given.set for word in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        rows: list[dict[str, Any]] = []
        for i in range(given.runs):
            cost = timed(arguments, Path(folder) / str(i))
            rows.append(
                head() | {"settings": " ".join(given.set), "note": given.note, "run": i + 1} | cost
            )
        rows += [head() | row for row in found(Path(folder) / str(given.runs - 1))]
    write(OUT, rows)


if __name__ == "__main__":
    main()
