"""Some queries of one audit with all that belongs to them, cut into the blocks that metrics see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import get_args

import torch
from torch import Tensor

from ..contracts import Block, Dataset, Extractor, Metric, Part, Prior, data_of
from ..errors import PluginError
from ..noise import derive_seed

PARTS: tuple[Part, ...] = get_args(Part)
JITTER = 0.01
"""Of the data range, or of a column's standard deviation: an invisible change."""


@torch.no_grad()
def features_of(extractor: Extractor, data: Tensor, batch_size: int) -> Tensor:
    """Phi of data (n, ...) -> (n, d) float32, batch by batch, on the device of the data."""
    return torch.cat([extractor.features(part).float() for part in data.split(batch_size)])


@torch.no_grad()
def reconstructed(prior: Prior, data: Tensor, batch_size: int = 64) -> Tensor:
    """decode(encode(data)), clamped to the data range: (n, ...) -> (n, ...)."""
    return torch.cat([data_of(prior, prior.encode(part)) for part in data.split(batch_size)])


@dataclass(eq=False)
class Scene:
    """b queries of one audit, k draws each: tensors on the device, draws query-major.

    spread: (columns,) standard deviation of a table's columns over all queries, for the jitter.
    target: "query" or "reconstruction", what draws aim at.
    named: another extractor by its name in the suite or the catalogue.
    unguided_finite: (b * k,) bool, False where one of the prior's own draws was lost.
    eyes: extractors that who looks at the moment has named.
    """

    ids: Sequence[str]
    queries: Tensor
    labels: Tensor | None
    extractor: Extractor
    prior: Prior
    dataset: Dataset
    named: Callable[[str], Extractor]
    target: str = "query"
    draws: Tensor | None = None
    unguided: Tensor | None = None
    unguided_finite: Tensor | None = None
    diagnostics: Mapping[str, Tensor] = field(default_factory=dict)
    spread: Tensor | None = None
    seed: int = 0
    batch_size: int = 64
    eyes: frozenset[str] = frozenset({""})

    @cached_property
    def of_queries(self) -> Tensor:
        """phi(query), (b, d)."""
        return features_of(self.extractor, self.queries, self.batch_size)

    @cached_property
    def targets(self) -> Tensor:
        """What draws aim at, (b, d)."""
        if self.target == "query":
            return self.of_queries
        return features_of(self.extractor, self.reconstructions, self.batch_size)

    @cached_property
    def reconstructions(self) -> Tensor:
        """decode(encode(query)), (b, ...)."""
        return reconstructed(self.prior, self.queries, self.batch_size)

    def block(self, part: Part) -> Block | None:
        """The block of a part, made once; None where this audit has no such part."""
        if part not in self._blocks:
            self._blocks[part] = self._made(part)
        return self._blocks[part]

    def forget(self) -> None:
        """Let go of the blocks: they hold the scene, and pixels should not wait for a collector."""
        self._blocks.clear()

    @cached_property
    def _blocks(self) -> dict[Part, Block | None]:
        return {}

    def _made(self, part: Part) -> Block | None:
        data = self._data(part)
        if data is None:
            return None
        k = len(data) // len(self.ids)
        fresh = part == "fresh"
        seen: dict[int, Tensor] = {}  # by the extractor itself: it may go by several names

        def phi(name: str, other: Tensor | None = None) -> Tensor:
            if name not in self.eyes:
                raise PluginError(
                    f"observe() looks with extractor {name!r}; name it in Needs.extractors."
                )
            extractor = self.named(name) if name else self.extractor
            if other is not None:
                return features_of(extractor, other.to(data), self.batch_size)
            if id(extractor) not in seen:
                seen[id(extractor)] = features_of(extractor, data, self.batch_size)
            return seen[id(extractor)]

        def rows(x: Tensor) -> Tensor:
            return x.repeat_interleave(k, dim=0)

        nothing = data.new_zeros(len(data), 0)
        return Block(
            part,
            data,
            targets=nothing if fresh else rows(self.targets),
            of_query=nothing if fresh else rows(self.of_queries),
            labels=None if fresh or self.labels is None else rows(self.labels),
            per_query=k,
            prior=self.prior,
            diagnostics=self.diagnostics if part == "draws" else {},
            phi=phi,
            batch_size=self.batch_size,
        )

    def _data(self, part: Part) -> Tensor | None:
        if part == "draws":
            return self.draws
        if part == "unguided":
            return self.unguided
        if part == "queries":
            return self.queries
        if part == "reconstructions":
            return None if self.prior.lossless else self.reconstructions
        return self._jittered() if part == "jittered" else self._fresh()

    def _jittered(self) -> Tensor:
        """Each query after a jitter and 8 bits; no sampler needs to be nearer than that."""
        x, shape = self.queries, self.queries.shape[1:]
        noise = [torch.randn(shape, generator=self._generator("ceiling", i)) for i in self.ids]
        z = torch.stack(noise).to(x)
        if self.prior.data_range is None:
            return x + JITTER * (1.0 if self.spread is None else self.spread.to(x)) * z
        low, high = self.prior.data_range
        unit = ((x - low) / (high - low) + JITTER * z).clamp(0, 1)
        return low + (high - low) * (unit * 255).round() / 255

    def _fresh(self) -> Tensor | None:
        drawn = [self.dataset.reference(1, self._generator("fresh", name)) for name in self.ids]
        known = [x for x in drawn if x is not None]
        return torch.cat(known).to(self.queries) if len(known) == len(drawn) else None

    def _generator(self, purpose: str, query: str) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self.seed, purpose, query))


def observe(metric: Metric, scene: Scene, name: str) -> dict[tuple[Part, str], Tensor]:
    """What a metric sees of a scene: (part, array's name) -> (rows, ...) on the CPU.

    Raises:
        PluginError: an array does not have one row per row of its block.
    """
    found: dict[tuple[Part, str], Tensor] = {}
    scene.eyes = frozenset(metric.needs.extractors)
    for part in metric.needs.parts:
        block = scene.block(part)
        if block is None:
            continue
        with torch.no_grad():
            arrays = metric.observe(block)
        for key, array in arrays.items():
            if not (array.ndim and len(array) == len(block.data)):
                raise PluginError(
                    f"metric {name!r}: observe() returned {key!r} of shape {tuple(array.shape)} "
                    f"for {len(block.data)} rows; return one row per row of the block."
                )
            found[part, key] = array.detach().cpu()
    return found


def whole(needed: Iterable[tuple[Part, str]], scene: Scene) -> dict[tuple[Part, str], Tensor]:
    """Features that metrics read whole: (part, extractor) -> (rows, d) on the CPU."""
    needed = list(needed)
    scene.eyes = frozenset(name for _, name in needed)
    blocks = {(part, name): scene.block(part) for part, name in needed}
    return {key: b.features(key[1]).cpu() for key, b in blocks.items() if b is not None}
