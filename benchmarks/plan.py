"""How long it takes, and how much memory, to plan a million draws and to go on with a run.

Command   OMP_NUM_THREADS=1 python benchmarks/plan.py
Writes    benchmarks/results/plan.csv
Expect    a million draws planned in at most 10 s and 500 MB above a process that has imported
          everything; a run with 100,000 finished draws found to be finished within 5 s

Plan: components made and tried, every query looked at, and what is missing listed, for one audit
and its unguided draws; the first piece is made, too. Go on: the same once more, beside 100,000
draws on disk. Each in a process of its own; CPU seconds of one thread.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from host_overhead import peak_of_this_process
from tabulated import head, write
from torch import Tensor, nn

from fiber_audit._draw.missing import to_do
from fiber_audit._draw.prepare import prepare
from fiber_audit._draw.store import Store
from fiber_audit._run import Options, run
from fiber_audit._score.directory import begin
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.read import parse
from fiber_audit._suite.suite import Suite
from fiber_audit.contracts import Dataset, Extractor, Prediction, Prior
from fiber_audit.sampling import FlowSchedule

OUT = Path(__file__).parent / "results" / "plan.csv"
DRAWS = 4


class Points(Dataset):
    """Standard normal rows of four numbers."""

    data_shape = (4,)

    def __init__(self, *, n: int = 1) -> None:
        self.rows = torch.randn(n, 4, generator=torch.Generator().manual_seed(0))
        self.ids = [f"point-{i}" for i in range(n)]

    def load(self, indices: Sequence[int]) -> Tensor:
        """Rows by number."""
        return self.rows[list(indices)]


class FirstTwo(Extractor):
    """The first two numbers."""

    feature_size = 2

    def __init__(self) -> None:
        self.network = nn.Identity()

    def features(self, x: Tensor) -> Tensor:
        """(n, 4) -> (n, 2)."""
        return self.network(x)[:, :2]


class Normal(Prior):
    """N(0, 1), its exact denoiser."""

    lossless = True
    state_shape = (4,)

    def __init__(self) -> None:
        self.network, self.schedule = nn.Identity(), FlowSchedule()

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """E[x_0 | x_t]."""
        a, s = (v.reshape(-1, 1) for v in (self.schedule.alpha(t), self.schedule.sigma(t)))
        x0 = a * self.network(x_t) / (a**2 + s**2)
        return Prediction(x0, (x_t - a * x0) / s)

    def decode(self, state: Tensor) -> Tensor:
        """States are data."""
        return state

    def encode(self, x: Tensor) -> Tensor:
        """Data are states."""
        return x


def suite_of(draws: int) -> tuple[Suite, Catalogue]:
    """So many draws, four for each query."""
    catalogue = Catalogue.load()
    for kind, made in (("dataset", Points), ("extractor", FirstTwo), ("prior", Normal)):
        catalogue.add(kind, "toy", made)
    table = {
        "name": "plan",
        "draws": DRAWS,
        "unguided_steps": 2,
        "batch_size": 64,
        "metrics": ["fiber_loss_rms"],
        "queries": {"use": "here/toy", "n": draws // DRAWS},
        "extractors": {"two": {"use": "here/toy"}},
        "priors": {"normal": {"use": "here/toy"}},
        "samplers": {"mpgd": {"steps": 2}},
    }
    return parse(table, catalogue), catalogue


def plan(draws: int, folder: Path) -> int:
    """Plan them, and make the first piece of each kind -> draws that are missing."""
    suite, catalogue = suite_of(draws)
    store = Store(folder)
    prepared = prepare(suite, catalogue, store)
    begin(store, prepared)
    first, then = to_do(prepared, store)
    for pieces in (first, then):
        for piece in pieces:
            assert piece.queries
            break
    return sum(pieces.draws for pieces in (first, then))


def finish(draws: int, folder: Path) -> int:
    """Draw and score them."""
    suite, catalogue = suite_of(draws)
    return run(suite, catalogue, Options(folder)).failed


CHILDREN: dict[str, Callable[[int, Path], int]] = {"plan": plan, "finish": finish}


def child(what: str, draws: int, folder: Path) -> tuple[float, float, int]:
    """(CPU seconds, peak megabytes, what came of it) of a process that does it."""
    line = [sys.executable, __file__, "--child", what, str(draws), str(folder)]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    seconds, megabytes, found = done.stdout.split()[-3:]
    return float(seconds), float(megabytes), int(found)


def main() -> None:
    """Measure, print and write."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        empty_seconds, empty, _ = child("plan", DRAWS, Path(folder) / "empty")
        seconds, peak, missing = child("plan", 10**6, Path(folder) / "million")
        assert missing == 2 * 10**6
        rows.append({"what": "plan", "draws": 10**6, "seconds": seconds, "peak_mb": peak - empty})
        finished = Path(folder) / "finished"
        seconds, peak, failed = child("finish", 10**5, finished)
        assert not failed
        rows.append({"what": "run", "draws": 10**5, "seconds": seconds, "peak_mb": peak - empty})
        seconds, peak, missing = child("plan", 10**5, finished)
        assert not missing
        rows.append({"what": "go on", "draws": 10**5, "seconds": seconds, "peak_mb": peak - empty})
    print(f"a process that plans {DRAWS} draws: {empty_seconds:.2f} s, {empty:.0f} MB")
    for row in rows:
        print(row)
    write(OUT, [head() | row for row in rows])


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--child"]:
        started = time.process_time()
        result = CHILDREN[sys.argv[2]](int(sys.argv[3]), Path(sys.argv[4]))
        print(time.process_time() - started, peak_of_this_process(), result)
    else:
        main()
