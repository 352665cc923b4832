"""Are the draws of the chest priors as near to held-out radiographs as other real ones are?

Command   OMP_NUM_THREADS=1 python benchmarks/studies/chest_quality.py --data pneumoniamnist.npz
Writes    benchmarks/results/study_chest_prior.csv, docs/img/study_chest_prior.png
Expect    ratio at most 3 in both networks; nearest near 1; copies near .01. Three minutes

2,000 unguided draws and 2,000 training pictures, each against all held-out pictures (val and test)
in features standardised on training pictures: of a judge of side (its hidden layer, before the
nonlinearity: behind it a few pictures outweigh all others) and of the code trained without flips.
distance: KID, unbiased, and its standard error; real: that of the training pictures. biased: with
the pairs of a picture with itself, above 0 by construction; ratio is that of the two biased ones.
gaussian: KID of a Gaussian with the training data's mean and covariance. nearest: median distance
of draws to the nearest training picture, by that of held-out pictures; copies: share of draws
nearer to one than all but 1 % of the held-out pictures. usual: share of draws that the judge takes
for the usual side. A row for each seed of the noise; "mean" has their mean.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from closeness import closeness
from fiber_audit_chest.attributes import ChestSide
from fiber_audit_chest.extractors import Contrastive
from fiber_audit_chest.nets import SideJudge, pooled
from fiber_audit_chest.priors import Both, ChestFlow, Usual
from fiber_audit_chest.radiographs import masked, mirrored, read
from fiber_audit_chest.weights import SHIPPED
from fiber_audit_diffusers.trained.sheet import drawn, write_sheet
from torch import Tensor

from fiber_audit.contracts import Attribute, data_of

sys.path.insert(0, str(Path(__file__).parents[1]))
from tabulated import head, write

ROOT = Path(__file__).parents[2]
OUT = ROOT / "benchmarks" / "results" / "study_chest_prior.csv"
SHEET = ROOT / "docs" / "img" / "study_chest_prior.png"
N = 2000
SEEDS = (7, 8, 9)
Eye = Callable[[Tensor], Tensor]


def eyes() -> dict[str, Eye]:
    """Name -> network."""
    judge = SHIPPED.load(SideJudge(pooled()), "side-1").body
    assert isinstance(judge, torch.nn.Sequential)
    return {"judge": judge[:-3], "code": Contrastive(flips=False).network}


def turned(x: Tensor, side: float) -> Tensor:
    """Real pictures as the prior is to draw them; of 0, every second one is mirrored."""
    if side > 0:
        return x
    some = torch.arange(len(x)) % 2 == 0
    return torch.where(some[:, None, None, None], mirrored(x), x)


def nearest(x: Tensor, to: Tensor) -> Tensor:
    """(n,) distance to the nearest of other pictures."""
    return torch.cdist(x.flatten(1), to.flatten(1)).amin(1)


@torch.no_grad()
def rows(
    prior: ChestFlow,
    seed: int,
    seen: Tensor,
    held: Tensor,
    eyes: Mapping[str, Eye],
    side: Attribute,
    n: int = N,
) -> tuple[list[Any], Tensor]:
    """One row per network, and the n draws."""
    x = drawn(prior, n, seed, 500)
    g = torch.Generator().manual_seed(0)
    other = turned(seen[torch.randperm(len(seen), generator=g)[:n]], prior.side)
    real, training = turned(held, prior.side), torch.cat([seen, mirrored(seen)])
    codes = prior.encode(turned(seen, prior.side))
    normal = torch.randn(n, codes.shape[1], generator=g) @ torch.linalg.cholesky(codes.T.cov()).T
    normal = data_of(prior, normal + codes.mean(0))
    far, far_held = nearest(x, training), nearest(held, training)
    shared = {
        "seed": seed,
        "draws": n,
        "held_out": len(held),
        "nearest": float(far.median() / far_held.median()),
        "copies": float((far < far_held.quantile(0.01)).double().mean()),
        "usual": float(side.read(x).double().mean()),
    }
    found = []
    for eye, network in eyes.items():
        f = network(turned(seen, prior.side))
        mean, std = f.mean(0), f.std(0).clamp(min=1e-6)
        a, b, c, d = ((network(part) - mean) / std for part in (x, other, real, normal))
        found.append({**shared, "network": eye, **closeness(a, b, c, d)})
    return found, x


def mean(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of one network that stands for all seeds."""
    return {
        name: sum(row[name] for row in found) / len(found) if isinstance(value, float) else value
        for name, value in found[0].items()
    } | {"seed": "mean"}


def main() -> None:
    """Measure both priors, write the table and the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--sheet", type=Path, default=SHEET)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    splits = [masked(read(asked.data, part)[0].float() / 255) for part in ("train", "val", "test")]
    seen, held = splits[0], torch.cat(splits[1:])
    first, table, cells = head(), [], []
    for name, prior in (("chest-both", Both()), ("chest-usual", Usual())):
        made = [rows(prior, seed, seen, held, eyes(), ChestSide()) for seed in SEEDS]
        by_eye = [list(found) for found in zip(*(found for found, _ in made), strict=True)]
        found = [row for each in by_eye for row in (*each, mean(each))]
        table += [{**first, "prior": name, **row} for row in found]
        cells.append(made[0][1][:16])
        print(*found, sep="\n", flush=True)
    write(asked.out, table)
    asked.sheet.parent.mkdir(parents=True, exist_ok=True)
    write_sheet(asked.sheet, held[:8], torch.cat(cells))


if __name__ == "__main__":
    main()
