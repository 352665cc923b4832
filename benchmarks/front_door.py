"""How long the command takes to answer what needs no computing.

Command   python benchmarks/front_door.py
Writes    benchmarks/results/front_door.csv
Expect    at most 0.3 s each

CPU seconds of the processes that a command line starts, Python included: the median of ten, beside
the least of them, since a busy machine adds to both. They take turns, so that what else the machine
does meanwhile falls on all alike.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median

from tabulated import head, write

OUT = Path(__file__).parent / "results" / "front_door.csv"
TIMES = 10
OURS = [sys.executable, "-m", "fiber_audit"]
LINES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "fiber-audit --version": [*OURS, "--version"],
    "fiber-audit --help": [*OURS, "--help"],
    "fiber-audit run --help": [*OURS, "run", "--help"],
    "fiber-audit list": [*OURS, "list"],
}


def seconds(line: list[str]) -> float:
    """CPU seconds of one call, which finds all modules compiled."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure, print and write."""
    found: dict[str, list[float]] = {name: [] for name in LINES}
    for line in LINES.values():
        seconds(line)  # compiles, and fills the caches
    for _ in range(TIMES):
        for name, line in LINES.items():
            found[name].append(seconds(line))
    rows = [
        {"command": name, "times": TIMES, "seconds": median(each), "least_seconds": min(each)}
        for name, each in found.items()
    ]
    for row in rows:
        print(row)
    write(OUT, [head() | row for row in rows])


if __name__ == "__main__":
    main()
