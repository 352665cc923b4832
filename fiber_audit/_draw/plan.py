"""Suite -> audits -> pieces: what there is to compute, with ids by hash and seeds by hash.

A unit is one draw for one query. Its id is a hash of everything that determines it. Its noise
comes from the root seed, the query and the draw's number alone, so that all audits of a suite
start from the same noise and their differences are paired.

A piece is some queries of one audit with all their draws: what is computed, and seen by metrics,
together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .._suite.identity import digest
from .._suite.suite import Suite
from ..contracts import Part
from ..noise import derive_seed


@dataclass(frozen=True)
class Audit:
    """One extractor x prior x sampler, by their names in the suite."""

    extractor: str
    prior: str
    sampler: str

    @property
    def name(self) -> str:
        """extractor/prior/sampler."""
        return f"{self.extractor}/{self.prior}/{self.sampler}"

    @property
    def reference(self) -> Reference:
        """The prior's own draws from the same noise."""
        return Reference(self.prior)


@dataclass(frozen=True)
class Reference:
    """A prior's own draws: no extractor, no sampler."""

    prior: str

    @property
    def name(self) -> str:
        """Of two parts, so that no audit is called that."""
        return f"unguided/{self.prior}"


Drawn = Audit | Reference
HOST, PICTURES = "host", "pictures"
"""Owners of what the host itself observes."""


@dataclass(frozen=True)
class Look:
    """What is to be observed of a piece: by which metric, or which extractor's features whole.

    owner: digest of all that it depends on but the draws. metric: its index in the suite, or None.
    """

    owner: str
    metric: int | None = None
    part: Part = "draws"
    extractor: str = ""


@dataclass(frozen=True)
class Lack:
    """Queries computed together, and the owners of what one of them, or more, lacks."""

    queries: tuple[int, ...]
    owners: frozenset[str]


@dataclass(frozen=True)
class Piece:
    """Some queries of one audit, small and picklable.

    units: ids of the draws, query-major. unguided: those of the reference. rows: an id per query of
    what is observed. looks: what has still to be observed of them. host, pictures: whether that of
    the host has, too. found: files of the store that hold some of these units already.
    """

    drawn: Drawn
    queries: tuple[int, ...]
    units: tuple[str, ...]
    unguided: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    looks: tuple[Look, ...] = ()
    host: bool = True
    pictures: bool = True
    found: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Hash of the units' ids and of what is observed."""
        return digest(*self.units, *(look.owner for look in self.looks), self.host, self.pictures)


def audits(suite: Suite) -> list[Audit]:
    """The cross product of the suite, less what it excludes, in the suite's order."""
    return [
        Audit(extractor, prior, sampler)
        for extractor in suite.extractors
        for prior in suite.priors
        for sampler in suite.samplers
        if not any(
            (e.extractor or extractor, e.prior or prior, e.sampler or sampler)
            == (extractor, prior, sampler)
            for e in suite.exclude
        )
    ]


def references(planned: Sequence[Audit]) -> list[Reference]:
    """The reference of each prior that is used."""
    return list(dict.fromkeys(audit.reference for audit in planned))


@dataclass(frozen=True, eq=False)
class Plan:
    """What a run computes. ids and items: name and content digest of every query.

    drawn: audit or reference -> digest of all that its draws depend on but the query. looks: audit
    -> what is observed of it. Audits that cannot be drawn are in neither.
    """

    suite: Suite
    ids: tuple[str, ...]
    items: tuple[str, ...]
    drawn: Mapping[Drawn, str]
    looks: Mapping[Audit, tuple[Look, ...]] = field(default_factory=dict)

    @property
    def per_query(self) -> int:
        """k, draws of a query."""
        return self.suite.draws

    def chunks(self, index: int = 0, count: int = 1) -> list[tuple[int, ...]]:
        """Queries that are computed together: as many as fill a batch with their draws.

        Of shard `index` of `count`, which has every count-th query.
        """
        size = max(1, self.suite.batch_size // self.per_query)
        mine = range(index, len(self.ids), count)
        return [tuple(mine[first : first + size]) for first in range(0, len(mine), size)]

    def unit(self, drawn: Drawn, query: int, draw: int) -> str:
        """Id of one draw."""
        return digest(self.drawn[drawn], self.ids[query], self.items[query], draw)

    def units(self, drawn: Drawn, queries: Sequence[int]) -> tuple[str, ...]:
        """Ids of all draws of some queries, query-major."""
        return tuple(self.unit(drawn, q, k) for q in queries for k in range(self.per_query))

    def row(self, audit: Audit, query: int) -> str:
        """Id of what is observed of one query with all its draws."""
        key = (self.drawn[audit], self.drawn[audit.reference])
        return digest(*key, self.ids[query], self.items[query], self.per_query)

    def rows(self, audit: Audit) -> dict[str, int]:
        """Id of a row -> the query's index."""
        return {self.row(audit, q): q for q in range(len(self.ids))}

    def piece(self, audit: Audit, lack: Lack) -> Piece:
        """The piece that makes up for what some queries of an audit lack."""
        return Piece(
            audit,
            lack.queries,
            self.units(audit, lack.queries),
            self.units(audit.reference, lack.queries),
            tuple(self.row(audit, q) for q in lack.queries),
            tuple(look for look in self.looks[audit] if look.owner in lack.owners),
            host=HOST in lack.owners,
            pictures=PICTURES in lack.owners,
        )


def seeds(suite: Suite, ids: Sequence[str], queries: Sequence[int]) -> list[int]:
    """The noise of all draws of some queries, query-major."""
    return [derive_seed(suite.seed, ids[q], k) for q in queries for k in range(suite.draws)]
