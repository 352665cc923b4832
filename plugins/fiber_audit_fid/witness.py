"""One network as a witness: what it sees of draws, and how much of that is noise.

Notation, for a network B
    D_B    Fréchet distance of the draws to the queries in features of B, mean over draw slots
    U_B    the same of the prior's own draws, which nothing guided
    r_B    D_B / U_B: what B still sees of the prior's distance; 1 is all of it
    nu_B   the share of U_B that is noise: two samples of one law are no less apart at this n
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiber_audit import UsageError
from fiber_audit.measuring import Estimate

from .estimates import of_ratio
from .frechet import frechet_distance
from .moments import Array
from .sampling_error import GROUPS, deletions
from .slots import Slots

SPLITS = 16
"""Random splits of the queries that the noise of a distance is averaged over."""
FEWEST = 8
"""Queries below which nothing is known of the noise."""
TINY = 1e-12
"""Least r: where a network sees nothing at all, logarithms stay finite."""


@dataclass(frozen=True, eq=False)
class Witness:
    """One network's features: queries (q, d), draws (q, k, d), unguided draws (q, k, d).

    there: (q, k), which draws to look at; the unguided draw from the noise of a lost one is left
    out as well, so that D and U always rest on as many rows of the same queries.
    """

    name: str
    queries: Array
    draws: NDArray[Any]
    unguided: NDArray[Any]
    there: NDArray[np.bool_]

    @cached_property
    def guided_slots(self) -> Slots:
        """Draws beside queries."""
        return Slots(self.draws, self.queries, self.there)

    @cached_property
    def unguided_slots(self) -> Slots:
        """The prior's own draws beside queries."""
        return Slots(self.unguided, self.queries, self.there)

    @cached_property
    def on_all(self) -> tuple[float, float]:
        """(D, U) on all queries."""
        return self.distances(np.arange(len(self.queries)))

    def distances(self, rows: NDArray[np.intp]) -> tuple[float, float]:
        """(D, U) on some queries, given by their numbers."""
        slots = self.guided_slots, self.unguided_slots
        d, u = (of.mean(frechet_distance, rows) for of in slots)
        return d, u

    def ratio(self, rows: NDArray[np.intp] | None = None) -> float:
        """R = D / U, on some queries or on all."""
        d, u = self.on_all if rows is None else self.distances(rows)
        if u == 0:
            raise UsageError(
                f"{self.name} sees no difference between the prior's own draws and the queries: "
                "leave it out of measured_by."
            )
        return max(d / u, TINY)

    def deletions(self, rng: np.random.Generator) -> list[Array]:
        """What a jackknife over queries leaves; none where a slot would be too small."""
        n = len(self.queries)
        enough = self.guided_slots.fewest - -(-n // min(n, GROUPS)) >= 2
        return deletions(n, rng) if enough else []

    def noise(self, rng: np.random.Generator) -> float:
        """Nu, the share of U that two sets of one law would have at this n: 0 to 1.

        It is known at n / 4 and n / 2, from disjoint subsets of the queries, and carried on to n
        by the same factor: 1 / 2 for many rows, less of a fall where features outnumber rows.
        """
        halves, quarters = ([self._apart(rng, m) for _ in range(SPLITS)] for m in (2, 4))
        u = self.on_all[1]
        return min(float(np.mean(halves)) ** 2 / max(float(np.mean(quarters)), TINY) / u, 1.0)

    def _apart(self, rng: np.random.Generator, count: int) -> float:
        """Mean distance of the queries' disjoint subsets, two by two."""
        n = len(self.queries) // count
        shuffled = rng.permutation(len(self.queries))
        parts = [self.queries[shuffled[i * n : (i + 1) * n]] for i in range(count)]
        pairs = zip(parts[::2], parts[1::2], strict=True)
        return float(np.mean([frechet_distance(a, b) for a, b in pairs]))


@dataclass(frozen=True, eq=False)
class Share:
    """What a witness sees, with all that is needed to doubt it.

    r: on all n queries. deleted: (groups,), r with a group of queries left out each, the same
    groups for all witnesses of one seed; empty below four queries. noise: nu; None below eight.
    """

    name: str
    n: int
    r: float
    deleted: Array
    noise: float | None


def share(witness: Witness, seed: int) -> Share:
    """The share that a witness sees; seed chooses the groups, and the splits for the noise."""
    n = len(witness.queries)
    subsets = witness.deletions(np.random.default_rng(seed))
    return Share(
        witness.name,
        n,
        witness.ratio(),
        np.array([witness.ratio(rows) for rows in subsets]),
        witness.noise(np.random.default_rng(seed)) if n >= FEWEST else None,
    )


def relative_distance(witness: Witness, rng: np.random.Generator) -> Estimate:
    """The r of one network, with an interval on the log scale."""
    deleted = [witness.ratio(rows) for rows in witness.deletions(rng)]
    return of_ratio(witness.ratio(), deleted, len(witness.queries))
