"""Does `query_rank` find out that a sampler gives the parts of a fiber the wrong weights?

Command   OMP_NUM_THREADS=1 python benchmarks/query_rank.py [--seeds 0 1 2] [--samplers dps twisted]
          [--laws ring product] for some rows only
Writes    benchmarks/results/query_rank.csv; rows that it has already are replaced
Expect    p < 1e-3 on the ring for dps and for moment-matched guided from noise on, and on product
          for dps; p > .01 for exact and twisted; at most 5 of 100 exact samplers below .05. Ten
          minutes per seed

500 queries of the prior itself, 9 draws each, on laws of `fiber_audit.testing.LAWS`: ring, whose
fiber is a circle; product, two branches of a hyperbola; banana, a parabola. exact: draws of the
true law, by inversion along the fiber. p is what the metric says, corrected for the number of its
statistics; least is the smallest of the uncorrected ones, by `worst`. A 100-fold row holds false
alarms: how many of 100 exact samplers of random Gaussian priors had p < .05.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from fiber_audit_scoring.query_rank import QueryRank
from tabulated import head, write
from torch import Tensor

from fiber_audit._draw.meter import Meter
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.check.nonlinear import along, between
from fiber_audit.contracts import Extractor, Problem
from fiber_audit.measuring.scene import Scene
from fiber_audit.sampling import Noise, derive_seed, rms
from fiber_audit.testing import LAWS, LinearExtractor, MixturePrior, measure

OUT = Path(__file__).parent / "results" / "query_rank.csv"
Q, K = 500, 9
SAMPLERS: dict[str, list[dict[str, Any]]] = {
    "moment-matched": [{}, {"guided_below": 1000.0}, {"steps": 80, "eta": 1.0, "order": 1}],
    "dps": [{"strength": 0.1}],
    "ndtm": [{"guidance": 10.0}],
    "twisted": [{}, {"particles": 16}],
}
KEY = ("law", "schedule", "seed", "sampler", "options")
"""What tells a row from the others; the options of exact draws are none, or what was found."""
FINE = 4001

FIBERS = ("ring", "product", "banana")


def fiber_of(law: str, h: float) -> list[Tensor]:
    """The fiber of h as curves of points (FINE, 2) float64."""
    h = h or 1e-9
    if law == "ring":
        angle = torch.linspace(0, 2 * torch.pi, FINE, dtype=torch.float64)
        return [h * torch.stack([angle.cos(), angle.sin()], dim=1)]
    x = torch.linspace(-5, 5, FINE, dtype=torch.float64)
    if law == "banana":
        return [torch.stack([x, 2 * (h - x**2)], dim=1)]
    u = torch.linspace(-12, 12, FINE, dtype=torch.float64).exp()
    return [torch.stack([s * u, s * h / u], dim=1) for s in (1.0, -1.0)]


def scene_of(prior: MixturePrior, extractor: Extractor, queries: Tensor, draws: Tensor,
             seed: int) -> Scene:  # fmt: skip
    """An audit of given draws; the unguided ones are the prior's."""
    g = torch.Generator().manual_seed(derive_seed("unguided", seed))
    unguided = prior.draw(len(draws), g).float()
    ids = tuple(f"q{i}" for i in range(len(queries)))
    return Scene(ids, queries, None, extractor, prior, None, {}.__getitem__,
                 draws=draws, unguided=unguided, seed=seed)  # fmt: skip


def told(scene: Scene) -> dict[str, Any]:
    """What the metric says."""
    found = {s.name: s for s in measure(QueryRank(), scene)}
    each = {name: s.value for name, s in found.items() if name.startswith("p_")}
    each.pop("p_unguided")
    worst = min(each, key=lambda name: each[name])
    return {
        "unevenness": found["mean"].value,
        "low": found["mean"].ci_low,
        "high": found["mean"].ci_high,
        "p": found["p"].value,
        "least": each[worst],
        "worst": worst.removeprefix("p_"),
        "p_unguided": found["p_unguided"].value,
    }


def rows(seeds: list[int], laws: list[str], samplers: list[str]) -> Iterator[dict[str, Any]]:
    """One row per law, schedule, seed, sampler and options; those of exact draws always."""
    catalogue = Catalogue.load()
    for seed in seeds:
        for law in laws:
            for schedule in ("vp", "flow"):
                known = LAWS[law](schedule)
                prior, extractor = known.prior, known.extractor
                g = torch.Generator().manual_seed(derive_seed("queries", law, seed))
                queries = prior.draw(Q, g).float()
                h = extractor.features(queries)
                where = {"law": law, "schedule": schedule, "seed": seed, "q": Q, "k": K}
                curves = (fiber_of(law, float(x)) for x in h)
                true = torch.cat([along(prior, extractor, c)(K, g) for c in curves]).float()
                scene = scene_of(prior, extractor, queries, true, seed)
                yield {**where, "sampler": "exact", "options": "", **told(scene)}
                problem = Problem(extractor, prior, queries.repeat_interleave(K, 0),
                                  h.repeat_interleave(K, 0))  # fmt: skip
                for sampler in samplers:
                    factory = catalogue.find("sampler", sampler).factory
                    for options in SAMPLERS[sampler]:
                        text = " ".join(f"{key}={value}" for key, value in options.items())
                        yield {**where, "sampler": sampler, "options": text or "defaults",
                               **drawn(problem, factory(**options), scene, seed)}  # fmt: skip


def drawn(problem: Problem, sampler: Any, scene: Scene, seed: int) -> dict[str, Any]:
    """What the metric says of a sampler's draws, and what they cost."""
    noise = Noise([derive_seed("query_rank", seed, i) for i in range(Q * K)])
    started = time.process_time()
    with Meter(problem.prior, problem.extractor) as cost:
        draws = sampler.sample(problem, noise)
    loss = rms(problem.features(draws.states) - problem.targets)
    audit = scene_of(scene.prior, scene.extractor, scene.queries, draws.data, seed)
    counts = cost.as_dict()
    return {
        **told(audit),
        "fiber_rms": float(loss.median()),
        "evaluations": (counts["prior_forward"] + 2 * counts["prior_backward"]) / (Q * K),
        "seconds": time.process_time() - started,
    }


def false_alarms(count: int = 100, q: int = 100, k: int = 9, d: int = 6) -> dict[str, Any]:
    """Of exact samplers of random Gaussian priors with linear phi, d_h = 1 to d - 1."""
    p = []
    for seed in range(count):
        g = torch.Generator().manual_seed(seed)
        root = torch.randn(d, d, generator=g) / d**0.5
        mean, d_h = torch.randn(d, generator=g), 1 + seed % (d - 1)
        covariance = root @ root.T + 0.1 * torch.eye(d)
        prior = MixturePrior(torch.ones(1), mean[None], covariance[None])
        phi = LinearExtractor(torch.randn(d_h, d, generator=g))
        queries = prior.draw(q, g).float()
        h = phi.features(queries)
        draws = torch.cat([between(prior, phi.matrix, target)(k, g) for target in h])
        p.append(told(scene_of(prior, phi, queries, draws.float(), seed))["p"])
    return {"law": "100 Gaussians", "schedule": "", "seed": 0, "q": q, "k": k, "sampler": "exact",
            "options": f"{sum(x < 0.05 for x in p)} of {count} below .05", "p": min(p)}  # fmt: skip


def named(row: dict[str, Any]) -> tuple[str, ...]:
    """The KEY of a row."""
    last = "" if row["sampler"] == "exact" else row["options"]
    return (*(str(row[k]) for k in KEY[:-1]), last)


def main() -> None:
    """Measure, print as it goes, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--laws", nargs="+", choices=FIBERS, default=list(FIBERS))
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    first = head()
    table = []
    for row in chain([false_alarms()], rows(asked.seeds, asked.laws, asked.samplers)):
        table.append({**first, **row})
        print(
            f"{row['law']:8s} {row['schedule']:4s} {row['sampler']:14s} {row['options']:24s} "
            f"p {row['p']:.2g} unevenness {row.get('unevenness', 0):.3f} by {row.get('worst', '')} "
            f"unguided {row.get('p_unguided', 1):.2g} cost {row.get('evaluations', 0):.0f}",
            flush=True,
        )
    known = {named(row) for row in table}
    with OUT.open(newline="") as file:
        old = [row for row in csv.DictReader(file) if named(row) not in known]
    write(OUT, [*table, *old])


if __name__ == "__main__":
    main()
