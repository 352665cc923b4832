"""Suite -> audits -> units: what there is to compute, with ids by hash and seeds by hash.

A unit is one draw for one query. Its id is a hash of everything that determines it. Its noise
comes from the root seed, the query and the draw's number alone, so that all audits of a suite
start from the same noise and their differences are paired.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from .rng import derive_seed
from .suite import Suite, Use

if TYPE_CHECKING:
    from torch import Tensor

    from .contracts import Queries

UNGUIDED = "unguided"


@dataclass(frozen=True)
class Audit:
    """One extractor x prior x sampler, by their names in the suite.

    The prior's own draws are an audit too, with neither extractor nor sampler.
    """

    extractor: str
    prior: str
    sampler: str

    @property
    def name(self) -> str:
        """extractor/prior/sampler, or unguided/prior."""
        return "/".join(part for part in (self.extractor, self.prior, self.sampler) if part)

    @property
    def guided(self) -> bool:
        """False for the prior's own draws."""
        return self.extractor != UNGUIDED


@dataclass(frozen=True)
class Unit:
    """One draw for one query: query and draw are indices."""

    id: str
    query: int
    draw: int
    seed: int


@dataclass(frozen=True)
class Block:
    """Units of one audit that are computed together; the piece of work an executor sees."""

    audit: Audit
    units: tuple[Unit, ...]

    @property
    def id(self) -> str:
        """Hash of the units' ids."""
        return _hash(*(unit.id for unit in self.units))


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


def references(planned: Sequence[Audit]) -> list[Audit]:
    """The unguided audit of each prior that is used."""
    return [Audit(UNGUIDED, prior, "") for prior in dict.fromkeys(a.prior for a in planned)]


def units(suite: Suite, audit: Audit, queries: Queries, digests: dict[str, str]) -> list[Unit]:
    """All units of an audit, query-major.

    digests: weights digest of every extractor ("extractors.name") and prior ("priors.name").
    """
    identity: list[object] = [suite.seed, audit.name, _spec(suite.priors[audit.prior])]
    identity += [digests.get(f"priors.{audit.prior}", "")]
    if audit.guided:
        identity += [
            _spec(suite.extractors[audit.extractor]),
            digests.get(f"extractors.{audit.extractor}", ""),
            _spec(suite.samplers[audit.sampler]),
            suite.target,
        ]
    else:
        identity += [suite.unguided_steps]
    found = []
    for q, (name, data) in enumerate(zip(queries.ids, queries.data, strict=True)):
        content = _content(data)
        for k in range(suite.draws):
            seed = derive_seed(suite.seed, name, k)
            found.append(Unit(_hash(*identity, name, content, k), q, k, seed))
    return found


def blocks(audit: Audit, missing: Sequence[Unit], size: int) -> Iterable[Block]:
    """Group missing units into blocks of at most `size`."""
    for first in range(0, len(missing), size):
        yield Block(audit, tuple(missing[first : first + size]))


def shard(found: Sequence[Unit], index: int, count: int) -> list[Unit]:
    """The units of shard `index` of `count`: every count-th one."""
    return list(found[index::count])


def _spec(use: Use) -> str:
    return json.dumps({"use": use.use, **use.options}, sort_keys=True)


def _content(data: Tensor) -> str:
    return blake2b(data.contiguous().numpy().tobytes(), digest_size=16).hexdigest()


def _hash(*parts: object) -> str:
    text = "\x1f".join(str(part) for part in parts)
    return blake2b(text.encode(), digest_size=16).hexdigest()
