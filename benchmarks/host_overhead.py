"""What the host costs on top of the networks, and what size costs in memory.

Command   OMP_NUM_THREADS=1 python benchmarks/host_overhead.py
Writes    benchmarks/results/host_overhead.csv
Expect    overhead at most 5 % of the time inside the sampler; peak memory of 64 and of 8,192 draws
          within 10 %; 10,000 photographs of 3 x 224 x 224 within 2 GB in all; the null of 2,000
          queries with 2,048 features below 500 MB

Time: a whole run of one audit (prepare, draw, observe, score, judge, page) against the sampler
alone on the same rows, alternating in one process; the fixed part (making networks, the page) is
in a column of its own. Memory: peak resident size of child processes, less that of one that has
imported everything and drawn nothing.
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
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fiber_audit._draw.draw import draw
from fiber_audit._draw.missing import Pieces, to_do
from fiber_audit._draw.plan import seeds
from fiber_audit._draw.prepare import prepare
from fiber_audit._draw.store import Store
from fiber_audit._draw.work import Work
from fiber_audit._run import Options, run
from fiber_audit._score.directory import begin
from fiber_audit._suite.catalogue import Catalogue, Loaded
from fiber_audit._suite.read import parse
from fiber_audit.contracts import Dataset, Extractor, Prediction, Prior, Problem
from fiber_audit.measuring import random_pairs
from fiber_audit.sampling import FlowSchedule, Noise

OUT = Path(__file__).parent / "results" / "host_overhead.csv"
REPEATS, BLOCKS = 5, 4


class Pictures(Dataset):
    """Noise of 3 x size x size, made when it is asked for."""

    def __init__(self, *, n: int = 16, size: int = 64) -> None:
        self.ids = tuple(f"picture-{i}" for i in range(n))
        self.data_shape = (3, size, size)

    def load(self, indices: Sequence[int]) -> Tensor:
        """One generator per picture."""
        rows = [
            torch.rand(self.data_shape, generator=torch.Generator().manual_seed(i)) for i in indices
        ]
        return torch.stack(rows)


class Means(Extractor):
    """The mean of 8 x 8 cells."""

    feature_size = 192

    def __init__(self) -> None:
        self.network = nn.AdaptiveAvgPool2d(8)

    def features(self, x: Tensor) -> Tensor:
        """(n, 3, 64, 64) -> (n, 192)."""
        return self.network(x).flatten(1)


class Flat(Prior):
    """Pixels are N(.5, .1^2), independent."""

    lossless = True
    clip = (0.0, 1.0)

    def __init__(self, *, size: int = 64) -> None:
        self.network, self.schedule = nn.Identity(), FlowSchedule()
        self.state_shape = (3, size, size)

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The exact denoiser."""
        a, s = (v.reshape(-1, 1, 1, 1) for v in (self.schedule.alpha(t), self.schedule.sigma(t)))
        x0 = 0.5 + a * 0.01 / (a**2 * 0.01 + s**2) * (self.network(x_t) - a * 0.5)
        return Prediction(x0, (x_t - a * x0) / s)

    def decode(self, state: Tensor) -> Tensor:
        """States are images."""
        return state

    def encode(self, x: Tensor) -> Tensor:
        """Images are states."""
        return x


def toys() -> Catalogue:
    """The installed plugins and the toys of this file."""
    catalogue = Catalogue.load()
    for kind, made in (("dataset", Pictures), ("extractor", Means), ("prior", Flat)):
        catalogue.add(kind, "toy", made)
    return catalogue


def many(queries: int, draws: int = 4, size: int = 64) -> None:
    """A whole run of some draws for each of so many pictures."""
    catalogue = toys()
    table = {
        "name": "many",
        "draws": draws,
        "unguided_steps": 2,
        "metrics": ["fiber_loss_relative", "diversity", "saturation"],
        "queries": {"use": "here/toy", "n": queries, "size": size},
        "extractors": {"means": {"use": "here/toy"}},
        "priors": {"flat": {"use": "here/toy", "size": size}},
        "samplers": {"mpgd": {"steps": 2}},
    }
    with tempfile.TemporaryDirectory() as folder:
        done = run(parse(table, catalogue), catalogue, Options(Path(folder) / "run"))
    if done.failed:
        raise SystemExit(str(done.records["message"].dropna().iloc[0]))


def null(queries: int) -> None:
    """The null of so many queries with 2,048 features."""
    features = np.random.default_rng(0).standard_normal((queries, 2048), dtype=np.float32)
    random_pairs(features, np.random.default_rng(0))


CHILDREN = {"nothing": lambda: many(1), "64": lambda: many(16), "8192": lambda: many(2048),
            "null": lambda: null(2000), "photographs": lambda: many(10_000, 1, 224)}  # fmt: skip


def peak(what: str) -> float:
    """Peak resident megabytes of a process that does it."""
    line = [sys.executable, __file__, "--child", what]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def peak_of_this_process() -> float:
    """Peak resident megabytes since this program began, without those of who started it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def times() -> tuple[list[float], list[float], float]:
    """Seconds of drawing, observing and storing; of the sampler alone; and of the rest of a run."""
    catalogue = Catalogue.load()
    table = {
        "name": "overhead",
        "draws": 4,
        "batch_size": 32,
        "metrics": ["fiber_loss_relative", "fiber_loss_rms", "diversity", "saturation"],
        "queries": {"use": "color-mnist", "n": 8 * BLOCKS},
        "extractors": {"shape": {"use": "color-mnist-shape"}},
        "priors": {"latent": {"use": "color-mnist-latent"}},
        "samplers": {"ndtm": {"steps": 50, "inner_steps": 4}},
    }
    suite = parse(table, catalogue)
    with_host, without = [], []
    for repeat in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder) / "run")
            started = time.perf_counter()
            prepared = prepare(suite, catalogue, store)
            begin(store, prepared)
            fixed = time.perf_counter() - started
            components, plan = prepared.components, prepared.plan
            work = Work(suite.model_dump_json(), store.path, Loaded(), None, components)
            (audit,) = prepared.audits
            first, then = to_do(prepared, store)
            with components.executor() as executor:
                draw((first, Pieces(plan, ())), work, executor, store, lambda *_: None)
                started = time.perf_counter()
                draw((Pieces(plan, ()), then), work, executor, store, lambda *_: None)
                with_host.append(time.perf_counter() - started)
            extractor, prior = components.extractor("shape"), components.prior("latent")
            problems = []
            for chunk in plan.chunks():
                queries = components.dataset.load(chunk).repeat_interleave(4, 0)
                problem = Problem(extractor, prior, queries, extractor.features(queries))
                problems.append((problem, seeds(suite, plan.ids, chunk)))
            started = time.perf_counter()
            for problem, noise in problems:
                components.sampler(audit.sampler).sample(problem, Noise(noise))
            without.append(time.perf_counter() - started)
        print(f"repeat {repeat}: {with_host[-1]:.2f} s with the host, {without[-1]:.2f} s without")
    return with_host, without, fixed


def main() -> None:
    """Measure, print and write one row."""
    torch.set_num_threads(1)
    empty, few, lots, pairs, photographs = (peak(what) for what in CHILDREN)
    with_host, without, fixed = times()
    ratios = [a / b for a, b in zip(with_host, without, strict=True)]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    row = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit,
        "machine": f"{os.cpu_count()} x {platform.processor() or platform.machine()}",
        "seconds_with_host": round(min(with_host), 3),
        "seconds_sampler_alone": round(min(without), 3),
        "overhead_median": round(float(np.median(ratios)) - 1, 4),
        "overhead_min": round(min(ratios) - 1, 4),
        "seconds_to_prepare": round(fixed, 2),
        "peak_mb_4_draws": round(empty, 1),
        "peak_mb_64_draws": round(few, 1),
        "peak_mb_8192_draws": round(lots, 1),
        "peak_mb_null_2000x2048": round(pairs, 1),
        "peak_mb_10000_photographs": round(photographs, 1),
    }
    print(row)
    with OUT.open("w", newline="") as file:
        writer = csv.DictWriter(file, row.keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        torch.set_num_threads(1)
        CHILDREN[sys.argv[2]]()
        print(peak_of_this_process())
    else:
        main()
