"""Is a draw the same in any batch? Samplers in blocks of rows, and with batches as they come.

Command   OMP_NUM_THREADS=1 python benchmarks/batch_independence.py     (about a quarter of an hour)
Writes    benchmarks/results/batch_independence.csv
Expect    in blocks no draw differs by 1e-4 from itself in another batch, most by no bit; as they
          come, moment-matched and twisted differ visibly; 64 draws cost the same both ways

apart: the largest difference in a pixel between draws in a batch of 64 and the same draws alone, or
in threes, of which a few are drawn. cpu_ratio: CPU seconds of 64 draws in blocks, as a share of
those as they come; both take turns, and the ratio is the median of the rounds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import tabulated
import torch

from fiber_audit import blocks
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.contracts import Draws, Problem, Sampler
from fiber_audit.sampling import Noise

OUT = Path(__file__).parent / "results" / "batch_independence.csv"
DRAWS = 64
FIRST = {1: (0, 63), 3: (30, 61)}
"""Where the small batches begin."""
FEW: dict[str, dict[str, dict[str, Any]]] = {
    "latent": {
        "unconditional": {"steps": 10},
        "ndtm": {"steps": 8, "inner_steps": 3},
        "moment-matched": {"steps": 6, "directions": 4, "polish": 2},
        "twisted": {"particles": 2, "steps": 3, "calibration": 16, "directions": 2, "polish": 1},
        "dps": {"steps": 10},
        "mpgd": {"steps": 10},
        "freedom": {"steps": 8},
        "ugd": {"steps": 8},
        "tfg": {"steps": 8},
        "red-diff": {"steps": 10, "start_steps": 5},
    },
    "pixel": {
        "unconditional": {"steps": 5},
        "ndtm": {"steps": 4, "inner_steps": 1},
        "moment-matched": {"steps": 3, "directions": 2, "polish": 0, "guided_below": 1000.0},
        "twisted": {"particles": 2, "steps": 2, "calibration": 16, "directions": 2, "polish": 0},
        "dps": {"steps": 3},
        "mpgd": {"steps": 3},
        "freedom": {"steps": 3, "repeats": 1},
        "ugd": {"steps": 3},
        "tfg": {"steps": 3},
        "red-diff": {"steps": 3, "start_steps": 3},
    },
}
"""Few steps: the pixel prior costs a second for each."""


def problem_of(catalogue: Catalogue, prior: str) -> Problem:
    """Fibers of the shape code, sixteen queries with four draws each."""
    extractor = catalogue.find("extractor", "color-mnist-shape").factory()
    queries = catalogue.find("dataset", "color-mnist").factory(n=16).load(range(16))
    queries = queries.repeat_interleave(4, dim=0)
    made = catalogue.find("prior", prior).factory()
    return Problem(extractor, made, queries, extractor.features(queries))


@contextmanager
def block_of(rows: int) -> Iterator[None]:
    """Another size of block; batches come as they come in blocks of one row."""
    before, blocks.BLOCK = blocks.BLOCK, rows
    try:
        yield
    finally:
        blocks.BLOCK = before


def timed(sampler: Sampler, problem: Problem, rows: list[int]) -> tuple[Draws, float]:
    """Draws of some rows, and their CPU seconds."""
    part = problem.select(torch.tensor(rows))
    started = time.process_time()
    draws = sampler.sample(part, Noise(rows))
    return draws, time.process_time() - started


def apart(sampler: Sampler, problem: Problem, whole: Draws, size: int) -> float:
    """How far draws in batches of this size are from the same draws among all."""
    far = []
    for first in FIRST[size]:
        rows = list(range(first, first + size))
        draws, _ = timed(sampler, problem, rows)
        far.append(float((draws.data - whole.data[rows]).abs().max()))
    return max(far)


def measure(problem: Problem, sampler: Sampler, rounds: int) -> dict[str, Any]:
    """A row of the table."""
    sampler.prepare(problem.extractor, problem.prior)
    every, ratios = list(range(DRAWS)), []
    for _ in range(rounds):
        inside, cpu = timed(sampler, problem, every)
        with block_of(1):
            outside, plain = timed(sampler, problem, every)
        ratios.append(cpu / plain)
    row: dict[str, Any] = {"draws": DRAWS}
    row |= {f"apart_{size}": apart(sampler, problem, inside, size) for size in FIRST}
    with block_of(1):
        row |= {f"as_they_come_{size}": apart(sampler, problem, outside, size) for size in FIRST}
    return row | {"cpu_seconds": cpu, "cpu_ratio": median(ratios)}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samplers", nargs="+", default=list(FEW["latent"]))
    parser.add_argument("--priors", nargs="+", default=list(FEW))
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    catalogue, rows = Catalogue.load(), []
    warnings.filterwarnings("ignore", message="twisted")  # of few particles
    for prior in options.priors:
        problem = problem_of(catalogue, f"color-mnist-{prior}")
        for name in options.samplers:
            few = FEW[prior][name]
            sampler = catalogue.find("sampler", name).factory(**few)
            row = {"prior": prior, "sampler": name, "options": few}
            row |= measure(problem, sampler, options.rounds)
            rows.append({**tabulated.head(), **row})
            print(rows[-1], flush=True)
            tabulated.write(options.out, rows)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
