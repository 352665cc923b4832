"""W2 to the truth against cost, for every sampler, where the truth is known in closed form.

Command   OMP_NUM_THREADS=1 python benchmarks/gaussian.py [--seeds 0 1]      (20 minutes per seed)
          [--samplers moment-matched] [--options defaults steps=10] for some rows only
Writes    benchmarks/results/gaussian.csv (what is measured replaces its rows)
Expect    moment-matched at the floor (what as many exact draws have) for a fraction of NDTM's cost

Random Gaussian priors with linear phi, (d, d_h) as in CASES, diffusion and flow, one query. w2 is
the distance of the Gaussian fitted to 1,500 draws from the true conditional, a mean over 2 sets of
draws; floor is the mean for as many exact draws. Where noise is only what a draw starts from, a
draw is an affine function of it, found by least squares: bias is the distance of that law itself,
and w2_expected the mean for as many draws of it, over as many sets as the floor. Evaluations are
counted by hooks, per draw; cost counts a forward of the prior 1 and a backward 2. seconds are CPU
seconds per draw.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tabulated import head, merged, write
from torch import Tensor

from fiber_audit._draw.meter import Meter
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.contracts import Problem
from fiber_audit.sampling import Noise, derive_seed, rms
from fiber_audit.testing import gaussian_problem, wasserstein_to_gaussian

OUT = Path(__file__).parent / "results" / "gaussian.csv"
CASES = [(8, 3), (8, 1), (8, 7), (32, 12), (16, 15)]
DRAWS, SETS = 1500, 2
KEY = ("schedule", "d", "d_h", "seed", "sampler", "options")
"""What tells a row from the others."""
SWEEPS: dict[str, list[dict[str, Any]]] = {
    "unconditional": [{}],
    "moment-matched": [
        {},
        *({"steps": steps} for steps in (6, 10, 40)),
        *({"steps": steps, "order": 1} for steps in (20, 80)),
        {"steps": 80, "order": 1, "eta": 1.0},
        {"directions": 8},
        {"pace": "gradual"},
        *({"pace": "gradual", "guided_below": below} for below in (1.0, 1000.0)),
    ],
    "ndtm": [{"guidance": g, "eta": eta} for g in (1.0, 2.0, 5.0, 10.0) for eta in (0.0, 1.0)],
    "dps": [{"strength": s} for s in (0.03, 0.1, 0.3)],
    "mpgd": [{"strength": s} for s in (0.03, 0.1, 0.3)],
    "freedom": [{"strength": s} for s in (0.03, 0.1, 0.3)],
    "ugd": [{"strength": s} for s in (1.0, 3.0, 10.0)],
    "tfg": [{"strength": s} for s in (0.03, 0.1, 0.3)],
    "red-diff": [{"strength": s} for s in (1.0, 10.0)],
}


def by_chance(law: tuple[Tensor, Tensor], truth: tuple[Tensor, Tensor], sets: int = 200) -> float:
    """The mean W2 from the truth of DRAWS draws of a law; both are mean (d,), covariance (d, d)."""
    mean, covariance = law
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt()
    found = 0.0
    for seed in range(sets):
        g = torch.Generator().manual_seed(seed)
        draws = mean + torch.randn(DRAWS, len(mean), dtype=torch.float64, generator=g) @ root.T
        found += wasserstein_to_gaussian(draws, *truth)
    return found / sets


def truth_of(problem: Problem) -> tuple[Tensor, Tensor]:
    """The true conditional."""
    truth: tuple[Tensor, Tensor]
    truth = problem.prior.conditional(problem.extractor.matrix, problem.targets[0])
    return truth


def without_chance(states: Tensor, noise: Tensor, truth: tuple[Tensor, Tensor]) -> dict[str, float]:
    """Of the law of states (n, d) that are affine in standard noise (n, d): bias, w2_expected."""
    known = torch.cat([noise, torch.ones(len(noise), 1)], 1).double()
    *rows, mean = torch.linalg.lstsq(known, states.double()).solution
    root = torch.stack(rows)
    away = root * (len(root) - 0.5) ** 0.5  # 2 d points of that mean and covariance
    return {
        "bias": wasserstein_to_gaussian(torch.cat([mean + away, mean - away]), *truth),
        "w2_expected": by_chance((mean, root.T @ root), truth),
    }


def measure(
    problem: Problem, factory: Any, options: Mapping[str, Any], *, affine: bool
) -> dict[str, float]:
    """One sampler on one problem."""
    truth = truth_of(problem)
    w2, losses, finite = [], [], []
    sampler = factory(**options)
    sampler.prepare(problem.extractor, problem.prior)
    started = time.process_time()
    with Meter(problem.prior, problem.extractor) as cost:
        sets = [sampler.sample(problem, noise) for noise in (noise_of_set(k) for k in range(SETS))]
    seconds = time.process_time() - started
    total = SETS * DRAWS
    counts = {name: n / total for name, n in cost.as_dict().items() if name != "seconds"}
    start = noise_of_set(0).normal(problem.prior.state_shape)
    for draws in sets:
        kept = draws.states[draws.finite]
        w2.append(wasserstein_to_gaussian(kept, *truth))
        losses.append(rms(problem.features(kept) - problem.targets[: len(kept)]).double().mean())
        finite.append(draws.finite.double().mean())
    return {
        "w2": statistics.mean(w2),
        "w2_sd": statistics.stdev(w2),
        "fiber_rms": float(torch.stack(losses).mean()),
        "finite": float(torch.stack(finite).mean()),
        **counts,
        "cost": counts["prior_forward"] + 2 * counts["prior_backward"],
        "seconds": seconds / total,
        **(without_chance(sets[0].states, start, truth) if affine else {}),
    }


def noise_of_set(k: int) -> Noise:
    """The noise of the k-th set of draws."""
    return Noise([derive_seed("gaussian", k, i) for i in range(DRAWS)])


def rows(
    seeds: list[int], samplers: Sequence[str], asked: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    """One row per schedule, case, seed, sampler and options; asked, of these options only."""
    catalogue = Catalogue.load()
    for schedule in ("vp", "flow"):
        for d, d_h in CASES:
            for seed in seeds:
                problem = gaussian_problem(DRAWS, d, d_h, seed, schedule)
                where = {
                    "schedule": schedule,
                    "d": d,
                    "d_h": d_h,
                    "seed": seed,
                    "n": DRAWS,
                    "sets": SETS,
                }
                where["floor"] = by_chance(truth_of(problem), truth_of(problem))
                for sampler in samplers:
                    factory = catalogue.find("sampler", sampler).factory
                    for options in SWEEPS[sampler]:
                        text = " ".join(f"{key}={value}" for key, value in options.items())
                        text = text or "defaults"
                        if asked is None or text in asked:
                            affine = sampler == "moment-matched" and not {"eta", "pace"} & {
                                *options
                            }
                            found = measure(problem, factory, options, affine=affine)
                            yield {**where, "sampler": sampler, "options": text, **found}


def of_one_floor(table: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A floor is that of a problem, not of a row: all of its rows have the one found last."""
    problem = [tuple(str(row[name]) for name in KEY[:4]) for row in table]
    floors = {
        where: row["floor"]
        for where, row in zip(problem, table, strict=True)
        if isinstance(row["floor"], float)  # measured now, not read
    }
    return [
        {**row, "floor": floors.get(where, row["floor"])}
        for where, row in zip(problem, table, strict=True)
    ]


def main() -> None:
    """Measure, print as it goes, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--samplers", nargs="+", default=list(SWEEPS), choices=list(SWEEPS))
    parser.add_argument("--options", nargs="+", help="all of the sweep by default")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    first = head()
    table = []
    for row in rows(asked.seeds, asked.samplers, asked.options):
        table.append({**first, **row})
        print(
            f"{row['schedule']:4s} ({row['d']}, {row['d_h']}) {row['sampler']:14s} "
            f"{row['options']:28s} W2 {row['w2']:.4f} (expected {row.get('w2_expected', 0):.4f}, "
            f"floor {row['floor']:.4f}, bias {row.get('bias', 0):.4f}) "
            f"fiber {row['fiber_rms']:.5f} cost {row['cost']:.0f}",
            flush=True,
        )
    write(OUT, of_one_floor(merged(OUT, table, KEY)), digits=6)


if __name__ == "__main__":
    main()
