"""A study of sides: draws that are made once, and what judges say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from chest_cells import SAMPLERS, Cell
from chest_expected import expected
from drawn import alone, guided, once
from numpy.typing import NDArray
from torch import Tensor

from fiber_audit.contracts import Attribute, Extractor, Prior
from fiber_audit.measuring import estimate, random_pairs
from fiber_audit.sampling import Noise, derive_seed, rms

Q, K = 32, 4
JITTER = 0.01


@dataclass
class Study:
    """What is asked of which networks. label: a judge of what should stay, if there is one."""

    runs: Path
    queries: Mapping[str, Tensor]
    seen: Tensor
    priors: Mapping[str, Prior]
    sides: tuple[Attribute, Attribute]
    label: Attribute | None
    network: Callable[[Cell], tuple[Extractor, float | None]]
    known: dict[tuple[str, int, str], float] = field(default_factory=dict)

    @cached_property
    def noise(self) -> list[int]:
        """A seed per draw, the same for every network."""
        return [derive_seed(0, f"query-{q}", k) for q in range(Q) for k in range(K)]

    def draws(self, cell: Cell) -> tuple[Tensor, float]:
        """(Q K, 1, size, size), query-major, and the seconds of the processor that they took."""
        prior, noise = self.priors[cell.prior], Noise(self.noise)

        def draw() -> Tensor:
            if not cell.network:
                return alone(prior, noise)
            queries = self.queries[cell.facing].repeat_interleave(K, 0)
            return guided(self.network(cell)[0], prior, SAMPLERS[cell.sampler], queries, noise)

        return once(self.runs / f"{cell.name}.safetensors", draw)

    def usual(self, cell: Cell, judge: int = 0) -> NDArray[Any]:
        """(Q, K) of 1 where a judge takes a draw for the usual side, else 0."""
        return self.sides[judge].read(self.draws(cell)[0]).view(Q, K).double().numpy()

    def kept(self, cell: Cell) -> NDArray[Any]:
        """(Q, K) of 1 where a draw has its query's label, by the judge."""
        assert self.label is not None
        own = self.label.read(self.queries[cell.facing])
        return (self.label.read(self.draws(cell)[0]).view(Q, K) == own[:, None]).double().numpy()

    @torch.no_grad()
    def losses(self, cell: Cell) -> tuple[float, float]:
        """Mean fiber loss of the draws, and of jittered queries, by that of random pairs."""
        phi, _ = self.network(cell)
        x = self.queries[cell.facing]
        h = phi.features(x)
        null = random_pairs(h.numpy(), np.random.default_rng(0)).mean()
        loss = rms(phi.features(self.draws(cell)[0]) - h.repeat_interleave(K, 0)).mean()
        jitter = JITTER * Noise([0]).normal(x.shape)[0]
        near = ((x + jitter).clamp(0, 1) * 255).round() / 255
        ceiling = rms(phi.features(near) - h).mean()
        return float(loss / null), float(ceiling / null)

    def expected(self, cell: Cell) -> float:
        """The share of the usual side that the codes of the queries tell of."""
        key = cell.network, cell.seed, cell.facing
        if key not in self.known:
            phi, _ = self.network(cell)
            self.known[key] = expected(phi, self.seen, self.queries[cell.facing])
        return self.known[key]

    def row(self, cells: list[Cell]) -> dict[str, Any]:
        """One row of one cell, or of several seeds together: queries are what is independent."""
        one = cells[0]
        usual, second = (np.hstack([self.usual(c, j) for c in cells]) for j in (0, 1))
        share = estimate(usual, scale="share")
        found = {
            "prior": one.prior,
            "sampler": one.sampler or "unguided",
            "network": one.network,
            "seed": one.seed if len(cells) == 1 else "all",
            "queries": one.facing,
            "q": Q,
            "k": K,
            "usual": share.value,
            "low": share.ci_low,
            "high": share.ci_high,
            "usual_2": float(second.mean()),
            "agree": float((usual == second).mean()),
        }
        if one.network:
            losses = np.array([self.losses(c) for c in cells]).mean(0)
            probes = [self.network(c)[1] for c in cells]
            found |= {
                "loss": float(losses[0]),
                "ceiling": float(losses[1]),
            }
            if self.label is not None:
                found["label_kept"] = float(np.mean([self.kept(c) for c in cells]))
            found["seconds_per_draw"] = float(np.mean([self.draws(c)[1] for c in cells])) / (Q * K)
            if one.prior == "chest-both":
                found["expected"] = float(np.mean([self.expected(c) for c in cells]))
            if None not in probes:
                found["probe"] = float(np.mean([p for p in probes if p is not None]))
        return found

    def difference(self, a: list[Cell], b: list[Cell]) -> dict[str, Any]:
        """F minus G: the same queries, the same noise."""
        rows = [
            np.hstack([self.usual(c, judge) for c in a])
            - np.hstack([self.usual(c, judge) for c in b])
            for judge in (0, 1)
        ]
        moved = estimate(rows[0])
        known = [self.expected(c) for c in a], [self.expected(c) for c in b]
        both = a[0].prior == "chest-both"
        return {
            "prior": a[0].prior,
            "sampler": a[0].sampler,
            "network": "F - G",
            "seed": "all" if len(a) > 1 else a[0].seed,
            "queries": a[0].facing,
            "q": Q,
            "k": K,
            "usual": moved.value,
            "low": moved.ci_low,
            "high": moved.ci_high,
            "usual_2": float(rows[1].mean()),
            "expected": float(np.mean(known[0]) - np.mean(known[1])) if both else "",
        }


def table(study: Study, chosen: Sequence[Cell]) -> Iterator[dict[str, Any]]:
    """All rows: each cell, then what the seeds say together."""
    for cell in chosen:
        yield study.row([cell])
    for prior, sampler in dict.fromkeys((c.prior, c.sampler) for c in chosen if c.network == "F"):
        pairs = [
            [c for c in chosen if (c.prior, c.sampler, c.network) == (prior, sampler, name)]
            for name in ("F", "G")
        ]
        yield from (study.row(cells) for cells in pairs)
        yield study.difference(*pairs)
        yield from (study.difference([f], [g]) for f, g in zip(*pairs, strict=True))
