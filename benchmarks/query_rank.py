"""Does `query_rank` find out that a sampler gives the parts of a fiber the wrong weights?

Command   OMP_NUM_THREADS=1 python benchmarks/query_rank.py [--seeds 0 1 2]   (10 minutes per seed)
Writes    benchmarks/results/query_rank.csv
Expect    p < 1e-3 for moment-matched and dps on ring and product, p > .01 for exact and twisted;
          at most 5 of 100 exact samplers below .05

500 queries of the prior itself, 9 draws each. ring: N(0, diag) and phi the norm, whose fiber is a
circle; product: phi = x1 x2, two branches of a hyperbola; fold: phi = x1^2 + x2 / 2, the parabola.
exact: draws of the true law, by inversion along the fiber. p is what the metric says, corrected for
the number of its statistics; least is the smallest of the uncorrected ones, by `worst`. A 100-fold
row holds false alarms: how many of 100 exact samplers of random Gaussian priors had p < .05.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import platform
import subprocess
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import torch
from fiber_audit_scoring.query_rank import QueryRank
from torch import Tensor, nn

from fiber_audit._draw.meter import Meter
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.contracts import Extractor, Problem
from fiber_audit.measuring.scene import Scene
from fiber_audit.sampling import Noise, derive_seed, rms
from fiber_audit.testing import GaussianPrior, LinearExtractor, measure

OUT = Path(__file__).parent / "results" / "query_rank.csv"
Q, K = 500, 9
SAMPLERS: dict[str, list[dict[str, Any]]] = {
    "moment-matched": [{}, {"steps": 80, "eta": 1.0, "order": 1}],
    "dps": [{"strength": 0.1}],
    "ndtm": [{"guidance": 10.0}],
    "twisted": [{}, {"particles": 16}],
}
FINE = 4001


class Formula(Extractor):
    """A phi that is a formula of x, (n, 2) -> (n, 1)."""

    feature_size, input_shape = 1, (2,)

    def __init__(self, name: str) -> None:
        self.network, self.name = nn.Identity(), name

    def features(self, x: Tensor) -> Tensor:
        """The formula."""
        x1, x2 = self.network(x).unbind(1)
        found = {"ring": (x1**2 + x2**2).clamp(min=1e-12).sqrt(), "product": x1 * x2,
                 "fold": x1**2 + x2 / 2}  # fmt: skip
        return found[self.name][:, None]


PRIORS = {
    "ring": ([0.15, 0.0], [1.0, 0.5]),
    "product": ([0.4, 0.3], [1.0, 1.0]),
    "fold": ([0.3, 0.0], [1.0, 1.0]),
}


def prior_of(law: str, schedule: Literal["vp", "flow"]) -> GaussianPrior:
    """An uncorrelated Gaussian."""
    mean, spread = (torch.tensor(x) for x in PRIORS[law])
    return GaussianPrior(mean, torch.diag(spread**2), schedule)


def fiber_of(law: str, h: float) -> Tensor:
    """Points of the fiber of h, (branches, FINE, 2) float64, in order along each branch."""
    h = h or 1e-9
    if law == "ring":
        angle = torch.linspace(0, 2 * torch.pi, FINE, dtype=torch.float64)
        return h * torch.stack([angle.cos(), angle.sin()], dim=1)[None]
    x = torch.linspace(-5, 5, FINE, dtype=torch.float64)
    if law == "fold":
        return torch.stack([x, 2 * (h - x**2)], dim=1)[None]
    u = torch.linspace(-12, 12, FINE, dtype=torch.float64).exp()
    return torch.stack([torch.stack([s * u, s * h / u], dim=1) for s in (1.0, -1.0)])


def exact(law: str, prior: GaussianPrior, h: float, n: int, g: torch.Generator) -> Tensor:
    """N draws of p(x | phi(x) = h), density p / |grad phi| along the fiber, by its inverse."""
    points = fiber_of(law, h)
    middle, apart = (points[:, 1:] + points[:, :-1]) / 2, points[:, 1:] - points[:, :-1]
    variance = prior.covariance.diagonal()
    log = -(((middle - prior.mean) ** 2) / variance).sum(-1) / 2
    x1, x2 = middle.unbind(-1)
    slope = {"ring": torch.ones_like(x1), "product": (x1**2 + x2**2).sqrt(),
             "fold": (4 * x1**2 + 0.25).sqrt()}[law]  # fmt: skip
    weights = (log - log.max()).exp() * apart.norm(dim=-1) / slope
    chosen = torch.multinomial(weights.flatten(), n, replacement=True, generator=g)
    along = torch.rand((n, 1), generator=g, dtype=torch.float64)
    return (middle.reshape(-1, 2)[chosen] + (along - 0.5) * apart.reshape(-1, 2)[chosen]).float()


def scene_of(prior: GaussianPrior, extractor: Extractor, queries: Tensor, draws: Tensor,
             seed: int) -> Scene:  # fmt: skip
    """An audit of given draws; the unguided ones are the prior's."""
    g = torch.Generator().manual_seed(derive_seed("unguided", seed))
    white = torch.linalg.cholesky(prior.covariance)
    noise = torch.randn(draws.shape, generator=g, dtype=torch.float64)
    unguided = (prior.mean + noise @ white.T).float()
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


def rows(seeds: list[int]) -> Iterator[dict[str, Any]]:
    """One row per law, schedule, seed, sampler and options."""
    catalogue = Catalogue.load()
    offered = {c.name for c in catalogue if c.kind == "sampler"}
    for seed in seeds:
        for law in PRIORS:
            for schedule in ("vp", "flow"):
                prior, extractor = prior_of(law, schedule), Formula(law)
                g = torch.Generator().manual_seed(derive_seed("queries", law, seed))
                noise = torch.randn(Q, 2, generator=g, dtype=torch.float64)
                queries = (prior.mean + noise * prior.covariance.diagonal().sqrt()).float()
                h = extractor.features(queries)
                where = {"law": law, "schedule": schedule, "seed": seed, "q": Q, "k": K}
                true = torch.cat([exact(law, prior, float(x), K, g) for x in h])
                scene = scene_of(prior, extractor, queries, true, seed)
                yield {**where, "sampler": "exact", "options": "", **told(scene)}
                problem = Problem(extractor, prior, queries.repeat_interleave(K, 0),
                                  h.repeat_interleave(K, 0))  # fmt: skip
                for sampler, sweep in SAMPLERS.items():
                    if sampler not in offered:
                        continue
                    factory = catalogue.find("sampler", sampler).factory
                    for options in sweep:
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
        prior = GaussianPrior(mean, root @ root.T + 0.1 * torch.eye(d))
        phi = LinearExtractor(torch.randn(d_h, d, generator=g))
        noise = torch.randn(q, d, generator=g, dtype=torch.float64)
        queries = (prior.mean + noise @ torch.linalg.cholesky(prior.covariance).T).float()
        zero, covariance = prior.conditional(phi.matrix, torch.zeros(d_h))
        gain = torch.stack([prior.conditional(phi.matrix, e)[0] - zero for e in torch.eye(d_h)])
        centres = (zero + phi.features(queries).double() @ gain).repeat_interleave(k, 0)
        values, vectors = torch.linalg.eigh(covariance)
        white = torch.randn(q * k, d, generator=g, dtype=torch.float64)
        draws = centres + white @ (vectors * values.clamp(min=0).sqrt()).T
        p.append(told(scene_of(prior, phi, queries, draws.float(), seed))["p"])
    return {"law": "100 Gaussians", "schedule": "", "seed": 0, "q": q, "k": k, "sampler": "exact",
            "options": f"{sum(x < 0.05 for x in p)} of {count} below .05", "p": min(p)}  # fmt: skip


def main() -> None:
    """Measure, print as it goes, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    head = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit,
        "machine": f"{platform.machine()}, 1 thread, torch {torch.__version__}",
    }
    table = []
    for row in chain([false_alarms()], rows(seeds)):
        table.append({**head, **row})
        print(
            f"{row['law']:8s} {row['schedule']:4s} {row['sampler']:14s} {row['options']:24s} "
            f"p {row['p']:.2g} unevenness {row.get('unevenness', 0):.3f} by {row.get('worst', '')} "
            f"unguided {row.get('p_unguided', 1):.2g} cost {row.get('evaluations', 0):.0f}",
            flush=True,
        )
    names = dict.fromkeys(name for row in table for name in row)
    with OUT.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(names), lineterminator="\n")
        writer.writeheader()
        for row in table:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})


if __name__ == "__main__":
    main()
