"""Texture or shape: what do networks keep of pictures in which both are known and independent?

Command   OMP_NUM_THREADS=1 python benchmarks/studies/texture_shape.py
Writes    benchmarks/results/study_texture_shape.csv, docs/img/study_texture_shape.png (9 minutes)
Expect    logits: that of the shape ignores the texture (.8 or more), pins the shape (.2 or less),
          that of the texture the other way round; that of both pins both; blur moves the
          balance toward the shape

32 held-out pictures x 4 draws, moment-matched; 16 of logits, 4 of EfficientNet-Lite0, whose draws
cost ten times as much. shape, texture: the invariance index by judge 1 with a 95 % interval, *_2 by
judge 2. loss: RMS fiber loss by that of random pairs of queries. acc_shape, acc_texture: share of
pictures whose judged shape, or texture, is the query's; acc_either: one of the two; shape_share and
texture_share: those by acc_either, as the paper reports preference. probe_*: what a linear probe of
the features reads of fresh held-out pictures. Finished draws are kept in --runs: kill it and run it
again. queries: the seed that chose them.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from drawn import alone, guided, once
from fiber_audit_attributes.variation import of_pairs
from fiber_audit_hub.efficientnet_lite0 import EfficientNetLite0
from fiber_audit_moment_matched.moment_matched import MomentMatched
from fiber_audit_texture_shape.attributes import FigureShape, FigureTexture, Judged
from fiber_audit_texture_shape.dataset import TextureShape
from fiber_audit_texture_shape.extractors import TextureShapeNet
from fiber_audit_texture_shape.nets import Taught
from fiber_audit_texture_shape.priors import TextureShapeFlow
from fiber_audit_texture_shape.weights import SHIPPED
from numpy.typing import NDArray
from texture_shape_picture import paint
from torch import Tensor

from fiber_audit.contracts import Extractor
from fiber_audit.measuring import estimate, random_pairs
from fiber_audit.sampling import Noise, derive_seed, rms

sys.path.insert(0, str(Path(__file__).parents[1]))
from tabulated import head, write

ROOT = Path(__file__).parents[2]
OUT = ROOT / "benchmarks" / "results" / "study_texture_shape.csv"
PICTURE = ROOT / "docs" / "img" / "study_texture_shape.png"
K = 4
SAMPLER = MomentMatched(pace="gradual", restarts=4)
"""The prior is in 160 parts: small steps with fresh noise find theirs; what is stuck goes again."""
Of = Literal["penultimate", "logits"]
OF: tuple[Of, ...] = ("penultimate", "logits")
TAUGHT: tuple[Taught, ...] = ("shape", "texture", "both", "both-blurred")


@dataclass(frozen=True)
class Cell:
    """One network, of which some features are audited on some queries; "" is unguided."""

    network: str
    features: str = ""
    q: int = 32

    @property
    def name(self) -> str:
        """A file's name."""
        return f"{self.network or 'unguided'}-{self.features or 'none'}-{self.q}"


CELLS = [
    Cell(""),
    *(Cell(taught, "penultimate") for taught in TAUGHT),
    *(Cell(taught, "logits", 16) for taught in TAUGHT[:3]),
    *(Cell("lite0", layer, 4) for layer in ("pooled", "_blocks.4")),
]

FRESH = [cell for cell in CELLS if cell.network == "both" and cell.features == "penultimate"]
"""On other queries again: its recipe was chosen on the first ones."""


def network(cell: Cell) -> Extractor:
    """The network of a cell."""
    if cell.network == "lite0":
        layer = "" if cell.features == "pooled" else cell.features
        return EfficientNetLite0(layer=layer, resize=0, crop=0)
    taught = next(name for name in TAUGHT if name == cell.network)
    return TextureShapeNet(taught, next(of for of in OF if of == cell.features))


class Study:
    """Queries, judges, the prior, and draws that are made once."""

    def __init__(self, runs: Path, seed: int = 0) -> None:
        self.runs, self.seed = runs, seed
        data = TextureShape(n=max(cell.q for cell in CELLS), seed=seed)
        self.queries, self.ids = data.load(range(len(data))), data.ids
        self.truth = {"shape": data.labels, "texture": data.kinds}
        self.prior, self.sampler = TextureShapeFlow(), SAMPLER

    @cached_property
    def judges(self) -> dict[str, tuple[Judged, Judged]]:
        """Two of the shape, two of the texture."""
        return {
            "shape": (FigureShape(1), FigureShape(2)),
            "texture": (FigureTexture(1), FigureTexture(2)),
        }

    @cached_property
    def noise(self) -> list[int]:
        """A seed per draw, the same for every network."""
        return [derive_seed(0, query, k) for query in self.ids for k in range(K)]

    def draws(self, cell: Cell) -> tuple[Tensor, float]:
        """(q K, 1, 32, 32), query-major, and the seconds of the processor that they took."""
        noise = Noise(self.noise[: cell.q * K])

        def draw() -> Tensor:
            if not cell.network:
                return alone(self.prior, noise)
            queries = self.queries[: cell.q].repeat_interleave(K, 0)
            return guided(network(cell), self.prior, self.sampler, queries, noise)

        return once(self.runs / f"{cell.name}.safetensors", draw)

    def read(self, cell: Cell, what: str, judge: int) -> NDArray[Any]:
        """(q, K) classes of draws."""
        x, _ = self.draws(cell)
        return self.judges[what][judge].read(x).view(cell.q, K).double().numpy()

    def index(self, cell: Cell, what: str, judge: int) -> Any:
        """The invariance index with its interval over queries."""
        whole = self.read(CELLS[0], what, judge)[: cell.q]
        parts = [
            of_pairs(one[:, :, None], "class") for one in (self.read(cell, what, judge), whole)
        ]
        return estimate(
            np.column_stack(parts), lambda s: float(s[0] / s[1]), of_sums=True, scale="positive"
        )

    def shares(self, cell: Cell, x: Tensor | None = None) -> dict[str, float | None]:
        """Shares of draws (or of x, one a query) with the query's shape and texture, by judge 1."""
        k = 1 if x is not None else K
        x = self.draws(cell)[0] if x is None else x
        same = {
            what: (pair[0].read(x).view(cell.q, k) == self.truth[what][: cell.q, None])
            .double()
            .numpy()
            for what, pair in self.judges.items()
        }
        either = np.maximum(same["shape"], same["texture"])
        found: dict[str, float | None] = {"acc_either": float(either.mean())}
        for what, one in same.items():
            rows = np.column_stack([one.mean(1), either.mean(1)])
            share = estimate(rows, lambda s: float(s[0] / s[1]), of_sums=True, scale="share")
            found |= {
                f"acc_{what}": float(one.mean()),
                f"{what}_share": share.value,
                f"{what}_share_low": share.ci_low,
                f"{what}_share_high": share.ci_high,
            }
        return found

    @torch.no_grad()
    def loss(self, cell: Cell) -> float:
        """Mean fiber loss of the draws, by that of random pairs."""
        phi = network(cell)
        h = phi.features(self.queries[: cell.q])
        null = random_pairs(h.numpy(), np.random.default_rng(0)).mean()
        return float(
            rms(phi.features(self.draws(cell)[0]) - h.repeat_interleave(K, 0)).mean() / null
        )

    def row(self, cell: Cell) -> dict[str, Any]:
        """One row of the table."""
        found: dict[str, Any] = {
            "network": cell.network or "unguided",
            "queries": self.seed,
            "features": cell.features,
            "q": cell.q,
            "k": K,
        }
        for what in self.judges:
            one, two = (self.index(cell, what, judge) for judge in (0, 1))
            found |= {what: one.value, f"{what}_low": one.ci_low, f"{what}_high": one.ci_high}
            found[f"{what}_2"] = two.value
        found |= self.shares(cell)
        if cell.network:
            found["loss"] = self.loss(cell)
            found["seconds_per_draw"] = self.draws(cell)[1] / (cell.q * K)
        if cell.features == "penultimate":
            found |= {f"probe_{k}": v for k, v in SHIPPED.facts(cell.network)["probes"].items()}
        return found

    def originals(self) -> dict[str, Any]:
        """The row of the queries themselves."""
        q = len(self.queries)
        shares = self.shares(Cell("", q=q), self.queries)
        return {"network": "originals", "features": "", "q": q, "k": 1, **shares}


def main() -> None:
    """Draw, judge, write the table and the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/study_texture_shape"))
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    study, first = Study(asked.runs), head()
    rows = [{**first, **study.originals()}]
    for cell in CELLS:
        rows.append({**first, **study.row(cell)})
        print({k: v for k, v in rows[-1].items() if k not in first}, flush=True)
    fresh = Study(asked.runs / "fresh", seed=1)
    for cell in FRESH:
        rows.append({**first, **fresh.row(cell)})
    write(asked.out, rows)
    shown = {f"{c.network} {c.features}".strip(): study.draws(c)[0] for c in CELLS}
    paint(study.queries, shown, asked.picture)


if __name__ == "__main__":
    main()
