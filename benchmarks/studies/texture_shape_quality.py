"""Are the draws of `texture-shape-flow` as near to held-out pictures as other real ones are?

Command   OMP_NUM_THREADS=1 python benchmarks/studies/texture_shape_quality.py --data mnist.npz
Writes    benchmarks/results/study_texture_shape_prior.csv, docs/img/study_texture_shape_prior.png
Expect    ratio at most 3 (not met: 3 to 8); nearest near 1; copies at most .01. Two minutes

2,000 unguided draws and 2,000 real pictures, each against 2,000 other real ones, all of MNIST's
test half in fresh textures, in features standardised on real pictures (but for dead ones): of the
network of both, of the judge of texture (its hidden layer), and of EfficientNet-Lite0. distance:
KID, unbiased, and its standard error; real: that of the other real
pictures. biased: with the pairs of a picture with itself, above 0 by construction; ratio is that of
the two biased ones. gaussian: KID of draws whose components are independent Gaussians. nearest:
median distance of draws to the nearest training silhouette (in the prior's components), by that of
held-out ones; copies: share of draws nearer to one than all but 1 % of the held-out ones;
*_texture: the same to the textures that the prior has seen. share_*: of each shape and texture
among the draws, the smallest and the largest.
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

from fiber_audit.sampling import Noise, derive_seed, unguided

sys.path.insert(0, str(Path(__file__).parents[1]))
from tabulated import head, write

ROOT = Path(__file__).parents[2]
OUT = ROOT / "benchmarks" / "results" / "study_texture_shape_prior.csv"
SHEET = ROOT / "docs" / "img" / "study_texture_shape_prior.png"
N = 2000
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
        far_held = nearest(held[name][0][:N] * scale, seen[name][0] * scale)
        suffix = "" if name == "shape" else "_texture"
        found[f"nearest{suffix}"] = float(far.median() / far_held.median())
        found[f"copies{suffix}"] = float((far < far_held.quantile(0.01)).double().mean())
    return found


def spread(x: Tensor) -> dict[str, float]:
    """The smallest and the largest share of a class among draws."""
    found = {}
    for name, judge, classes in (("shape", FigureShape(), 10), ("texture", FigureTexture(), 8)):
        share = judge.read(x).bincount(minlength=classes).double() / len(x)
        found |= {f"share_{name}_low": float(share.min()), f"share_{name}_high": float(share.max())}
    return found


@torch.no_grad()
def rows(prior: TextureShapeFlow, data: Path) -> tuple[list[dict[str, Any]], Tensor, Tensor]:
    """One row per network; the draws; real pictures."""
    noise = [
        Noise([derive_seed(7, "sheet", i) for i in range(s, s + 500)]) for s in range(0, N, 500)
    ]
    z = torch.cat([unguided(prior, part, steps=STEPS) for part in noise])
    x = prior.decode(z).clamp(0, 1)
    g = torch.Generator().manual_seed(0)
    test = read(data, train=False)
    real, other = (some(test, N, g)[0] for _ in range(2))
    normal = prior.decode(torch.randn(z.shape, generator=g)).clamp(0, 1)
    shared = {"draws": N, "held_out": N, **memory(prior, z, data), **spread(x)}
    found = []
    for eye, network in eyes().items():
        features = [
            torch.cat([network(part) for part in some_.split(250)])
            for some_ in (x, other, real, normal)
        ]
        mean, std = features[2].mean(0), features[2].std(0)
        alive = std > std.max() / 100
        a, b, c, d = (((f - mean) / std)[:, alive] for f in features)
        found.append({"network": eye, **shared, **closeness(a, b, c, d)})
    return found, x, real


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
