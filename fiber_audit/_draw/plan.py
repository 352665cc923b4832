"""Suite -> audits -> pieces: what there is to compute, named by hash and seeded by hash.

A unit is one draw for one query: (key of the query, the draw's number), among the draws of an
audit. The key is a hash of the query's name and content; `of` is a hash of all else that the draws
depend on. So units are arithmetic, and no list of them is ever made. Their noise comes from the
root seed, the query and the draw's number alone, so that all audits of a suite start from the same
noise and their differences are paired.

A piece is some queries of one audit with all their draws: what is computed, and seen by metrics,
together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

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
Unit = tuple[str, int]
"""A query's key and a draw's number."""
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

    of: digest of all that its draws depend on but the query. keys: one per query. draws: k, of each
    query. unguided: `of` the reference's. looks: what has still to be observed of them. host,
    pictures: whether that of the host has, too. found: files of units/ that hold some of these
    draws, or of the unguided ones, already.
    """

    drawn: Drawn
    of: str
    queries: tuple[int, ...]
    keys: tuple[str, ...]
    draws: int
    unguided: str = ""
    looks: tuple[Look, ...] = ()
    host: bool = True
    pictures: bool = True
    found: tuple[str, ...] = ()

    @property
    def units(self) -> list[Unit]:
        """Its draws, query-major."""
        return [(key, k) for key in self.keys for k in range(self.draws)]

    @property
    def seen(self) -> str:
        """Digest of all that its observations depend on but the query and who looks."""
        return seen(self.of, self.unguided, self.draws)

    @property
    def reference(self) -> Piece:
        """The prior's own draws for the same queries."""
        assert isinstance(self.drawn, Audit)
        return replace(self, drawn=self.drawn.reference, of=self.unguided, unguided="", looks=())

    @property
    def reads(self) -> tuple[str, ...]:
        """Files that computing it reads, relative to the run directory."""
        return tuple(f"units/{name}" for name in self.found)

    def digest_of(self, units: Sequence[Unit]) -> str:
        """Hash of some of its draws, and of what is observed."""
        owners = (look.owner for look in self.looks)
        return digest(*(f"{key} {k}" for key, k in units), *owners, self.host, self.pictures)


def seen(of: str, unguided: str, draws: int) -> str:
    """What all observations of an audit depend on: its draws, unguided ones, and how many."""
    return digest(of, unguided, draws)


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

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Digest of name and content of every query."""
        return tuple(map(digest, self.ids, self.items))

    @cached_property
    def places(self) -> dict[str, int]:
        """Key of a query -> its index."""
        return {key: q for q, key in enumerate(self.keys)}

    def chunks(self, index: int = 0, count: int = 1) -> list[tuple[int, ...]]:
        """Queries that are computed together: as many as fill a batch with their draws.

        Of shard `index` of `count`, which has every count-th query.
        """
        size = max(1, self.suite.batch_size // self.per_query)
        mine = range(index, len(self.ids), count)
        return [tuple(mine[first : first + size]) for first in range(0, len(mine), size)]

    def seen(self, audit: Audit) -> str:
        """What all observations of an audit depend on."""
        return seen(self.drawn[audit], self.drawn[audit.reference], self.per_query)

    def piece(self, drawn: Drawn, lack: Lack) -> Piece:
        """The piece that makes up for what some queries lack."""
        of, keys = self.drawn[drawn], tuple(self.keys[q] for q in lack.queries)
        if isinstance(drawn, Reference):
            return Piece(drawn, of, lack.queries, keys, self.per_query)
        return Piece(
            drawn,
            of,
            lack.queries,
            keys,
            self.per_query,
            self.drawn[drawn.reference],
            tuple(look for look in self.looks[drawn] if look.owner in lack.owners),
            host=HOST in lack.owners,
            pictures=PICTURES in lack.owners,
        )


def seeds(suite: Suite, ids: Sequence[str], queries: Sequence[int]) -> list[int]:
    """The noise of all draws of some queries, query-major."""
    return [derive_seed(suite.seed, ids[q], k) for q in queries for k in range(suite.draws)]
