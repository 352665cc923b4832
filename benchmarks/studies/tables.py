"""What does a classifier of a table ignore? Pulsar candidates, and cells of a breast.

Command   OMP_NUM_THREADS=1 python benchmarks/studies/tables.py --htru2 HTRU_2.csv \
              --network htru2.safetensors --prior fits/htru2      (20 minutes)
Writes    benchmarks/results/study_tables.csv, docs/img/study_tables.png
Expect    fiber losses of NDTM that fall with its strength, each within a factor of 1.5 of those of
          arXiv 2603.21782, appendix B; columns that the network ignores have small gradients

Columns are in units of their standard deviation over the rows trained on. Each row of the results
is one number: `part` prior (2,000 unguided draws beside rows held out; ratio: of the biased kernel
distances of draws and of as many rows trained on), reference (losses and
consistency of samplers) or column.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from closeness import biased
from fiber_audit_attributes.variation import of_pairs, ranked
from fiber_audit_data.table import NumericTable
from fiber_audit_diffusers.trained.eyes import eyes
from fiber_audit_diffusers.trained.kernel_distance import kernel_distance
from fiber_audit_diffusers.trained.prior import TrainedPrior
from fiber_audit_guidance.unconditional import Unconditional
from fiber_audit_moment_matched.moment_matched import MomentMatched
from fiber_audit_ndtm.ndtm import NDTM
from fiber_audit_tables.extractor import TableMLPExtractor
from scipy.stats import spearmanr, wasserstein_distance
from torch import Tensor

from fiber_audit.contracts import Prior, Problem, Sampler
from fiber_audit.measuring import measured, measured_ratio
from fiber_audit.sampling import Noise, derive_seed, rms

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from tables_picture import PICTURE, draw  # noqa: E402
from tabulated import head, write  # noqa: E402

OUT = HERE.parent / "results" / "study_tables.csv"
TABLES = HERE.parents[1] / "plugins" / "fiber_audit_tables"
PRIOR: dict[str, Any] = {
    "network": "mlp", "objective": "ddpm", "prediction": "eps", "noise": "linear", "batch": 256,
    "learning_rate": 1e-3, "ema": 0.999,
}  # fmt: skip
PAPER = {"ndtm-1": (0.358, 0.111), "ndtm-2": (0.194, 0.154), "ndtm-5": (0.0705, 0.148),
         "ndtm-10": (0.028, 0.141)}  # fmt: skip
"""Of HTRU2: fiber loss and W1, seed 0, 3,580 rows."""
UNGUIDED = 0.020
SAMPLERS: dict[str, Sampler] = {
    **{f"ndtm-{g}": NDTM(guidance=float(g)) for g in (1, 2, 5, 10)},
    "moment-matched": MomentMatched(),
}
JUDGED, BATCH, DRAWS = 2000, 300, 4


@dataclass
class Case:
    """A table, split; its network and its prior."""

    name: str
    held: NumericTable
    rest: NumericTable
    extractor: TableMLPExtractor
    prior: Prior

    def __post_init__(self) -> None:
        self.known = self.rest.load(range(len(self.rest)))
        self.real = self.held.load(range(len(self.held)))

    def scaled(self, x: Tensor) -> Tensor:
        """In standard deviations of the rows trained on, float64."""
        known = self.known.double()
        return (x.double() - known.mean(0)) / known.std(0)


def draws(case: Case, sampler: Sampler, queries: Tensor, k: int, steps_of: str) -> Tensor:
    """K draws for each query, (n k, d), from seeds of their own."""
    rows = queries.repeat_interleave(k, 0)
    found = []
    for first in range(0, len(rows), BATCH):
        x = rows[first : first + BATCH]
        seeds = [derive_seed(0, case.name, steps_of, i) for i in range(first, first + len(x))]
        problem = Problem(case.extractor, case.prior, x, case.extractor.features(x))
        drawn = sampler.sample(problem, Noise(seeds))
        found.append(torch.where(drawn.finite[:, None], drawn.data, torch.nan))
    return torch.cat(found)


def quality(case: Case) -> Iterator[dict[str, Any]]:
    """The prior's draws, and rows it was trained on, beside rows held out: two eyes."""
    unguided = Unconditional(steps=100, eta=1.0)
    drawn = draws(case, unguided, case.known[:1].repeat(JUDGED, 1), 1, "judged")
    lost = int(drawn.isnan().any(1).sum())
    sets = {"draws": drawn[~drawn.isnan().any(1)], "real": case.known[:JUDGED]}
    for eye, look in eyes((case.known.shape[1],), "cpu").items():
        wanted, base = (look(case.scaled(x).float()) for x in (case.real, case.known))
        for who, rows in sets.items():
            views = [(v - base.mean(0)) / base.std(0).clamp(min=1e-3)
                     for v in (look(case.scaled(rows).float()), wanted)]  # fmt: skip
            distance = kernel_distance(*views)
            assert distance is not None
            yield {"part": "prior", "sampler": who, "column": eye,
                   "statistic": "kernel distance", "value": distance.value,
                   "low": distance.value - 2 * distance.stderr,
                   "high": distance.value + 2 * distance.stderr, "n": len(rows)}  # fmt: skip
        alike = [look(case.scaled(rows[: len(sets["real"])]).float()) for rows in sets.values()]
        ours, theirs = (biased(*((v - base.mean(0)) / base.std(0).clamp(min=1e-3)
                                 for v in (view, wanted))) for view in alike)  # fmt: skip
        yield {"part": "prior", "sampler": "draws", "column": eye, "statistic": "ratio",
               "value": ours / theirs, "n": len(sets["real"])}  # fmt: skip
    near = {
        who: torch.cdist(case.scaled(rows), case.scaled(case.known)).amin(1)
        for who, rows in {"draws": sets["draws"], "held out": case.real}.items()
    }
    ratio = float(near["draws"].median() / near["held out"].median())
    recited = float((near["draws"] < near["held out"].quantile(0.01)).double().mean())
    for name, value in {"nearest row": ratio, "recited": recited, "lost": float(lost)}.items():
        yield {"part": "prior", "sampler": "draws", "statistic": name, "value": value, "n": JUDGED}


def w1(case: Case, x: Tensor, y: Tensor) -> float:
    """Mean over the columns of the distance of their laws."""
    a, b = case.scaled(x).numpy(), case.scaled(y).numpy()
    return float(np.mean([wasserstein_distance(a[:, j], b[:, j]) for j in range(a.shape[1])]))


def reference(case: Case, n: int) -> Iterator[dict[str, Any]]:
    """Fiber loss and consistency of every sampler, one draw for each of n rows held out."""
    halves = case.known[:n], case.real[-n:]
    row = {"part": "reference", "n": n}
    yield {**row, "sampler": "real rows", "statistic": "w1", "value": w1(case, *halves)}
    free = draws(case, Unconditional(steps=100, eta=1.0), case.real, 1, "free")
    free = free[~free.isnan().any(1)]
    yield {**row, "sampler": "unconditional", "statistic": "w1", "value": w1(case, free, case.real),
           "n": len(free), "paper": UNGUIDED if case.name == "htru2" else None}  # fmt: skip
    yield from losses(case, n, SAMPLERS)


def losses(case: Case, n: int, samplers: Mapping[str, Sampler]) -> Iterator[dict[str, Any]]:
    """Fiber loss and consistency, one draw for each of n rows held out, beside the paper's."""
    queries, row = case.real[:n], {"part": "reference", "n": n}
    h = case.extractor.features(queries)
    for name, sampler in samplers.items():
        x = draws(case, sampler, queries, 1, "reference")
        kept = ~x.isnan().any(1)
        loss = rms(case.extractor.features(x) - h).double()
        found = measured("mean", loss.numpy(), seed=0, scale="positive")
        paper = PAPER.get(name, (None, None)) if case.name == "htru2" else (None, None)
        yield {**row, "sampler": name, "statistic": "fiber loss", "value": found.value,
               "low": found.ci_low, "high": found.ci_high, "paper": paper[0]}  # fmt: skip
        root = float(loss[kept].square().mean().sqrt())
        yield {**row, "sampler": name, "statistic": "fiber loss, root", "value": root}
        yield {**row, "sampler": name, "statistic": "w1", "value": w1(case, x[kept], queries),
               "paper": paper[1]}  # fmt: skip
        print(case.name, name, found.value, root, w1(case, x[kept], queries), flush=True)


def columns(case: Case, n: int) -> Iterator[dict[str, Any]]:
    """Of each column: invariance index, spread of (draw - query), importance by gradient."""
    queries = case.real[:n]
    free = draws(case, Unconditional(), queries, DRAWS, "columns")  # as a run has them
    importance = gradients(case, case.real)
    for column, value in zip(case.held.columns, importance.tolist(), strict=True):
        yield {"part": "column", "column": column, "statistic": "importance", "value": value,
               "n": len(case.real)}  # fmt: skip
    for name in ("moment-matched", "ndtm-10"):
        x = draws(case, SAMPLERS[name], queries, DRAWS, "columns")
        per, own = (ranked(v.double().numpy(), free.double().numpy()) for v in (x, free))
        apart = case.scaled(x) - case.scaled(queries.repeat_interleave(DRAWS, 0))
        spread = apart[~apart.isnan().any(1)].std(0)
        index = np.zeros(per.shape[1])
        for j, column in enumerate(case.held.columns):
            row = {"part": "column", "sampler": name, "column": column, "n": n}
            ranks = (v[:, j].reshape(n, DRAWS, 1) for v in (per, own))
            within, whole = (of_pairs(v, "number") for v in ranks)
            found = measured_ratio("index", within, whole)
            index[j] = found.value if found.value is not None else np.nan
            yield {**row, "statistic": "invariance", "value": found.value, "low": found.ci_low,
                   "high": found.ci_high}  # fmt: skip
            yield {**row, "statistic": "std of draw - query", "value": float(spread[j])}
        for statistic, values in {"invariance": index, "std of draw - query": spread}.items():
            rho = float(spearmanr(values, importance).statistic)
            yield {"part": "column", "sampler": name, "n": len(index), "value": rho,
                   "statistic": f"rank correlation of {statistic} and importance"}  # fmt: skip
            print(case.name, name, statistic, rho, flush=True)


def gradients(case: Case, x: Tensor) -> Tensor:
    """Mean |d (logit 1 - logit 0) / d column| over rows, per standard deviation of the column."""
    x = x.clone().requires_grad_()
    logits = case.extractor.features(x)
    (slope,) = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), x)
    return (slope.double() * case.known.double().std(0)).abs().mean(0)


def cases(options: argparse.Namespace) -> Iterator[tuple[Case, int]]:
    """The tables, and how many rows held out are queries."""
    breast = str(TABLES / "data" / "breast_cancer.csv")
    fit = str(TABLES / "fits" / "breast-cancer")
    small = TrainedPrior(path=fit, width=128, depth=3, steps=4000, **PRIOR)
    yield _case("breast-cancer", breast, "malignant", TableMLPExtractor(), small), 100
    if options.htru2:
        large = TrainedPrior(path=options.prior, width=256, depth=4, steps=10_000, **PRIOR)
        network = TableMLPExtractor(options.network)
        yield _case("htru2", options.htru2, "class", network, large), options.rows


def _case(
    name: str, path: str, label: str, network: TableMLPExtractor, prior: TrainedPrior
) -> Case:
    held, rest = (NumericTable(path, label=label, part=p) for p in ("held-out", "rest"))
    return Case(name, held, rest, network, prior)


def asked(description: str) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--htru2", default="", help="HTRU_2.csv; without it its rows are kept")
    parser.add_argument("--network", default="", help="of HTRU2, by fiber_audit_tables.train")
    parser.add_argument("--prior", default="", help="of HTRU2, by fiber-audit fit htru2")
    parser.add_argument("--rows", type=int, default=400, help="of HTRU2 held out, as queries")
    return parser.parse_args()


def main() -> None:
    """Measure, print as it goes, keep what another table has in the results, draw."""
    options = asked(__doc__.splitlines()[0])
    torch.set_num_threads(1)
    first, blank = head(), dict.fromkeys(("low", "high", "paper"))
    done: list[dict[str, Any]] = []
    for case, n in cases(options):
        for part in (quality(case), reference(case, n), columns(case, 100)):
            done += [{**first, "table": case.name, "part": "", "sampler": "", "column": "",
                      "statistic": "", "value": None, **blank, **row} for row in part]  # fmt: skip
    fresh = {row["table"] for row in done}
    if OUT.exists():
        with OUT.open(newline="") as file:
            done += [row for row in csv.DictReader(file) if row["table"] not in fresh]
    write(OUT, done)
    draw(pd.read_csv(OUT), PICTURE)


if __name__ == "__main__":
    main()
