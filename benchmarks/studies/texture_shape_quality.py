"""Are the draws of `texture-shape-flow` as near to held-out pictures as other real ones are?

Command   OMP_NUM_THREADS=1 python benchmarks/studies/texture_shape_quality.py --data mnist.npz
Writes    benchmarks/results/study_texture_shape_prior.csv, docs/img/study_texture_shape_prior.png
Expect    ratio at most 3 in every network; nearest near 1; copies at most .01. Seven minutes

Five times 2,000 unguided draws and five times 2,000 real pictures, each against the same 2,000
other real ones, all of MNIST's test half in fresh textures, in features standardised on real
pictures (but for dead ones): of the network of both, of the judge of texture (its hidden layer),
and of EfficientNet-Lite0. Means of the five. distance: KID, unbiased, and its standard error for
one set; real: that of other real pictures. biased: with the pairs of a picture with itself, above 0
by construction; ratio is that of the two biased ones; least and most: the same of one set of draws.
gaussian: KID of draws whose components are independent Gaussians. nearest: median distance of draws
to the nearest training silhouette (in the prior's components), by that of held-out ones; copies:
share of draws nearer to one than all but 1 % of the held-out ones; *_texture: the same to the
textures that the prior has seen. share_*: of each shape and texture among the draws, the smallest
and the largest; both of the first set.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from closeness import closeness
from fiber_audit_diffusers.trained.sheet import STEPS, write_sheet
from fiber_audit_hub.efficientnet_lite0 import EfficientNetLite0
from fiber_audit_texture_shape.attributes import FigureShape, FigureTexture
from fiber_audit_texture_shape.components import SHAPES, TEXTURES
from fiber_audit_texture_shape.extractors import TextureShapeNet
from fiber_audit_texture_shape.priors import TextureShapeFlow
from fiber_audit_texture_shape.rendering import some
from fiber_audit_texture_shape.shapes import read
from fiber_audit_texture_shape.train.prior import BANK, codes_of
from torch import Tensor

from fiber_audit.contracts import data_of
from fiber_audit.sampling import Noise, derive_seed, unguided

sys.path.insert(0, str(Path(__file__).parents[1]))
from tabulated import head, write

ROOT = Path(__file__).parents[2]
OUT = ROOT / "benchmarks" / "results" / "study_texture_shape_prior.csv"
SHEET = ROOT / "docs" / "img" / "study_texture_shape_prior.png"
N, SETS, BATCH = 2000, 5, 50
Eye = Callable[[Tensor], Tensor]


def eyes() -> dict[str, Eye]:
    """Name -> network."""
    body = FigureTexture(1).network.body
    assert isinstance(body, torch.nn.Sequential)
    return {
        "both": TextureShapeNet("both").features,
        "judge of texture": body[:-1],
        "efficientnet-lite0": EfficientNetLite0(resize=0, crop=0).features,
    }


def nearest(z: Tensor, to: Tensor) -> Tensor:
    """(n,) distance to the nearest of others."""
    return torch.cat([torch.cdist(part, to).amin(1) for part in z.split(200)])


def memory(prior: TextureShapeFlow, z: Tensor, data: Path) -> dict[str, float]:
    """How near the states z of draws are to what the prior has seen, beside held-out ones."""
    seen = codes_of(prior.codec, read(data), BANK, 0)
    held = codes_of(prior.codec, read(data, train=False), N, 3)
    found = {}
    for name, part in zip(("shape", "texture"), z.split([SHAPES, TEXTURES], 1), strict=True):
        scale = getattr(prior.codec, name).std
        far = nearest(part * scale, seen[name][0] * scale)
        others = held[name][0]
        others = others[:: len(others) // N] * scale  # a file may be sorted by digit
        far_held = nearest(others, seen[name][0] * scale)
        suffix = "" if name == "shape" else "_texture"
        found[f"nearest{suffix}"] = float(far.median() / far_held.median())
        found[f"copies{suffix}"] = float((far < far_held.quantile(0.01)).double().mean())
    return found


def spread(x: Tensor) -> dict[str, float]:
    """The smallest and the largest share of a class among draws."""
    found: dict[str, float] = {}
    for name, judge, classes in (("shape", FigureShape(), 10), ("texture", FigureTexture(), 8)):
        share = judge.read(x).bincount(minlength=classes).double() / len(x)
        found |= {f"share_{name}_low": float(share.min()), f"share_{name}_high": float(share.max())}
    return found


def drawn(prior: TextureShapeFlow, seed: int) -> Tensor:
    """(N, components) unguided."""
    seeds = [derive_seed(seed, "sheet", i) for i in range(N)]
    parts = [Noise(seeds[s : s + BATCH]) for s in range(0, N, BATCH)]
    return torch.cat([unguided(prior, part, steps=STEPS) for part in parts])


def mean_of(sets: list[dict[str, float]]) -> dict[str, float]:
    """Closeness of several sets of draws, each with other real pictures of its own."""
    found = {name: sum(one[name] for one in sets) / len(sets) for name in sets[0]}
    ratios = [one["biased"] / found["biased_real"] for one in sets]
    ratio = found["biased"] / found["biased_real"]
    return found | {"ratio": ratio, "least": min(ratios), "most": max(ratios)}


@torch.no_grad()
def rows(prior: TextureShapeFlow, data: Path) -> tuple[list[dict[str, Any]], Tensor, Tensor]:
    """One row per network; the first draws; real pictures."""
    states = [drawn(prior, 7 + i) for i in range(SETS)]
    draws = [data_of(prior, z) for z in states]
    g = torch.Generator().manual_seed(0)
    test = read(data, train=False)
    real, *others = (some(test, N, g)[0] for _ in range(1 + SETS))
    normal = data_of(prior, torch.randn(states[0].shape, generator=g))
    shared: dict[str, float] = {"draws": N, "held_out": N, "sets": SETS}
    shared |= memory(prior, states[0], data) | spread(draws[0])
    found = []
    for eye, network in eyes().items():
        seen = [
            torch.cat([network(part) for part in x.split(250)])
            for x in (real, normal, *draws, *others)
        ]
        mean, std = seen[0].mean(0), seen[0].std(0)
        alive = std > std.max() / 100
        a, b, *rest = (((f - mean) / std)[:, alive] for f in seen)
        pairs = zip(rest[:SETS], rest[SETS:], strict=True)
        sets = [closeness(ours, other, a, b) for ours, other in pairs]
        found.append({"network": eye, **shared, **mean_of(sets)})
    return found, draws[0], real


def main() -> None:
    """Measure, write the table and the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--sheet", type=Path, default=SHEET)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    found, x, real = rows(TextureShapeFlow(), asked.data)
    write(asked.out, [{**head(), **row} for row in found])
    print(*found, sep="\n", flush=True)
    asked.sheet.parent.mkdir(parents=True, exist_ok=True)
    write_sheet(asked.sheet, real[:8], x[:32])


if __name__ == "__main__":
    main()
