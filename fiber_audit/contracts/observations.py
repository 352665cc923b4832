"""All that a metric may look at when it summarises: what was observed of one audit, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..noise import derive_seed
from .null import random_pairs
from .part import Part

Array = NDArray[np.float64]
Numbers = NDArray[Any]
"""Floats, or integers or bools where no row was lost."""


@dataclass(eq=False)
class Observations:
    """One audit: q queries, k draws each. Arrays are query-major, memory-mapped where large.

    Of the parts "draws" and "unguided" an array is (q, k, ...), of the others (q, ...). Numbers
    keep the type in which they were observed; compute in float64. Rows that were lost hold NaN: use
    the nan-functions of numpy, or `lost`.
    """

    audit: str
    extractor: str
    prior: str
    sampler: str
    ids: tuple[str, ...]
    """Ids of the queries."""
    labels: NDArray[np.int64] | None
    per_query: int
    """k, the number of draws of each query."""
    targets: NDArray[np.float32]
    """(q, d): what the draws aimed at, phi(query) or phi(reconstruction)."""
    lost: NDArray[np.bool_]
    """(q, k): draws that left the finite numbers."""
    lossless: bool
    """True where the prior's decode(encode(x)) = x."""
    data_range: tuple[float, float] | None
    seed: int = 0
    observed: Mapping[tuple[Part, str], Numbers] = field(default_factory=dict)
    whole: Mapping[tuple[Part, str], Numbers] = field(default_factory=dict)
    absent: Mapping[str, Exception] = field(default_factory=dict)
    """Extractor -> why its features could not be had."""
    reported: Mapping[str, Numbers] = field(default_factory=dict)
    """What the sampler said of each draw, name -> (q, k)."""
    shared: dict[str, Array] = field(default_factory=dict)
    """What is computed once for all metrics of the audit."""

    def of(self, part: Part, name: str) -> Numbers:
        """What `observe` called `name`, for every row of a part."""
        return _found(self.observed, part, name, "observe() returned no such array for this part")

    def draws(self, name: str) -> Numbers:
        """Of the draws, (q, k, ...)."""
        return self.of("draws", name)

    def unguided(self, name: str) -> Numbers:
        """Of the prior's own draws from the same noise, (q, k, ...)."""
        return self.of("unguided", name)

    def queries(self, name: str) -> Numbers:
        """Of the queries, (q, ...)."""
        return self.of("queries", name)

    def features(self, part: Part, extractor: str = "") -> Numbers:
        """Features kept whole for this metric (`Needs.whole`): (q, k, d) or (q, d) float32.

        Raises:
            WeightsError: that extractor's weights are missing; other errors of its making, too.
        """
        if extractor in self.absent:
            raise self.absent[extractor]
        return _found(self.whole, part, extractor, "the metric's Needs.whole does not ask for it")

    def shows(self, part: Part, name: str = "") -> bool:
        """False where a part does not exist: reconstructions of a lossless prior, fresh samples.

        With a name: where `observe` had nothing of that name to say of the part.
        """
        if name:
            return (part, name) in self.observed
        return any(p == part for p, _ in [*self.observed, *self.whole])

    def diagnostic(self, name: str) -> Numbers | None:
        """What the sampler reported of each draw, (q, k), or None."""
        return self.reported.get(name)

    @property
    def null(self) -> Array:
        """RMS feature distances of each query to other queries, (q, m) float64.

        The scale of every fidelity number: what a random pair of inputs is apart. All others where
        there are few, else a bounded random sample: see `random_pairs`. m is 0 for one query.
        Computed once and read-only.
        """
        if "null" not in self.shared:
            found = random_pairs(self.features("queries"), self.rng("random pairs"))
            found.flags.writeable = False
            self.shared["null"] = found
        return self.shared["null"]

    @property
    def told_lost(self) -> str:
        """A sentence where draws were lost, else ""."""
        count = int(self.lost.sum())
        return f"{count} of {self.lost.size} draws were lost and are left out" if count else ""

    def generator(self, purpose: str) -> torch.Generator:
        """A CPU generator of this audit, the same at every call with the same purpose."""
        return torch.Generator().manual_seed(derive_seed(self.seed, self.audit, purpose))

    def rng(self, purpose: str) -> np.random.Generator:
        """The same for numpy."""
        return np.random.default_rng(derive_seed(self.seed, self.audit, purpose))


def _found(arrays: Mapping[tuple[Part, str], Numbers], part: Part, name: str, why: str) -> Numbers:
    if (part, name) in arrays:
        return arrays[part, name]
    known = ", ".join(f"{p}: {n or 'the audited one'}" for p, n in arrays) or "none"
    raise LookupError(f"{name!r} of part {part!r}: {why}. Known: {known}.")
