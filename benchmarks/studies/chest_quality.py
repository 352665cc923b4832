"""Are the draws of the chest priors as near to held-out radiographs as other real ones are?

Command   OMP_NUM_THREADS=1 python benchmarks/studies/chest_quality.py --data pneumoniamnist.npz
Writes    benchmarks/results/study_chest_prior.csv, docs/img/study_chest_prior.png
Expect    ratio at most 3 in both networks; nearest near 1; copies near .01. One minute

2,000 unguided draws and 2,000 training pictures, each against all held-out pictures (val and test)
in features standardised on training pictures: of a judge of side (its hidden layer, before the
nonlinearity: behind it a few pictures outweigh all others) and of the code trained without flips.
distance: KID, unbiased, and its standard error; real: that of the training pictures. biased: with
the pairs of a picture with itself, above 0 by construction; ratio is that of the two biased ones.
gaussian: KID of a Gaussian with the training data's mean and covariance. nearest: median distance
of draws to the nearest training picture, by that of held-out pictures; copies: share of draws
nearer to one than all but 1 % of the held-out pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from closeness import closeness
from fiber_audit_chest.extractors import Contrastive
from fiber_audit_chest.nets import SideJudge, pooled
from fiber_audit_chest.priors import Both, ChestPrior, Usual
from fiber_audit_chest.radiographs import masked, mirrored, read
from fiber_audit_chest.weights import SHIPPED
from fiber_audit_diffusers.trained.sheet import drawn, write_sheet
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from tabulated import head, write

ROOT = Path(__file__).parents[2]
OUT = ROOT / "benchmarks" / "results" / "study_chest_prior.csv"
SHEET = ROOT / "docs" / "img" / "study_chest_prior.png"
N = 2000
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
def rows(prior: ChestPrior, name: str, seen: Tensor, held: Tensor) -> tuple[list[Any], Tensor]:
    """One row per network, and the draws."""
    x = drawn(prior, N, 7, 500)
    g = torch.Generator().manual_seed(0)
    other = turned(seen[torch.randperm(len(seen), generator=g)[:N]], prior.side)
    real, training = turned(held, prior.side), torch.cat([seen, mirrored(seen)])
    codes = prior.encode(turned(seen, prior.side))
    normal = torch.randn(N, codes.shape[1], generator=g) @ torch.linalg.cholesky(codes.T.cov()).T
    normal = prior.decode(normal + codes.mean(0)).clamp(0, 1)
    far, far_held = nearest(x, training), nearest(held, training)
    shared = {
        "prior": name,
        "draws": N,
        "held_out": len(held),
        "nearest": float(far.median() / far_held.median()),
        "copies": float((far < far_held.quantile(0.01)).double().mean()),
    }
    found = []
    for eye, network in eyes().items():
        f = network(turned(seen, prior.side))
        mean, std = f.mean(0), f.std(0).clamp(min=1e-6)
        a, b, c, d = ((network(part) - mean) / std for part in (x, other, real, normal))
        found.append({**shared, "network": eye, **closeness(a, b, c, d)})
    return found, x


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
        found, x = rows(prior, name, seen, held)
        table += [{**first, **row} for row in found]
        cells.append(x[:16])
        print(*found, sep="\n", flush=True)
    write(asked.out, table)
    asked.sheet.parent.mkdir(parents=True, exist_ok=True)
    write_sheet(asked.sheet, held[:8], torch.cat(cells))


if __name__ == "__main__":
    main()
