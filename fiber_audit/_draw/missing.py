"""What a run directory lacks, chunk by chunk; pieces are made of it when they are dealt."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

from .plan import HOST, PICTURES, Audit, Drawn, Lack, Piece, Plan, references
from .prepare import Prepared
from .rows import keeps
from .shown import SHOWN
from .store import Store, units_in

Held = dict[str, tuple[int, tuple[str, ...]]]
"""Key of a query -> (its stored draws, a bit for each; the files of units/ that hold them)."""


@dataclass(frozen=True, eq=False)
class Pieces(Sequence[Piece]):
    """What some chunks lack, as pieces. held: what is on disk already of what they draw or use."""

    plan: Plan
    lacks: Sequence[tuple[Drawn, Lack]]
    held: dict[Drawn, Held] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lacks)

    @overload
    def __getitem__(self, index: int) -> Piece: ...
    @overload
    def __getitem__(self, index: slice) -> Pieces: ...
    def __getitem__(self, index: int | slice) -> Piece | Pieces:
        if isinstance(index, slice):
            return replace(self, lacks=self.lacks[index])
        piece = self.plan.piece(*self.lacks[index])
        return replace(piece, found=tuple(dict.fromkeys(self._files(piece))))

    @property
    def draws(self) -> int:
        """Draws of all pieces."""
        return sum(len(lack.queries) for _, lack in self.lacks) * self.plan.per_query

    def beside(self, store: Store) -> Pieces:
        """The same pieces, which know what is on disk now."""
        drawn = dict.fromkeys(each for each, _ in self.lacks)
        used = [each.reference for each in drawn if isinstance(each, Audit)]
        return replace(self, held={each: held(store, self.plan, each) for each in (*drawn, *used)})

    def _files(self, piece: Piece) -> Iterator[str]:
        drawn = [piece.drawn]
        if isinstance(piece.drawn, Audit):
            drawn.append(piece.drawn.reference)
        for each in drawn:
            there = self.held.get(each, {})
            for key in piece.keys:
                if key in there:
                    yield from there[key][1]


def held(store: Store, plan: Plan, drawn: Drawn) -> Held:
    """What is on disk of the draws of an audit or a reference, of the plan's queries."""
    found: Held = {}
    for path, arrays, _ in store.index("units", drawn, plan.drawn[drawn], ("query", "draw")):
        for key, draw in units_in(arrays):
            if key in plan.places and draw < plan.per_query:
                before, names = found.get(key, (0, ()))
                names = names if path.name in names else (*names, path.name)
                found[key] = (before | 1 << draw, names)
    return found


def missing(
    store: Store,
    plan: Plan,
    audit: Audit,
    chunks: Sequence[tuple[int, ...]],
    blind: Collection[str] = (),
) -> list[Lack]:
    """The queries of each chunk that lack something to be observed, and what.

    blind: owners of looks that were tried in vain, and are not missed.
    """
    wanted = frozenset({look.owner for look in plan.looks[audit]} | {HOST}) - set(blind)
    pictured = wanted | {PICTURES}
    seen = dict[int, frozenset[str]]()
    for _, arrays, names in store.index("observed", audit, plan.seen(audit), ("query",)):
        owners = frozenset(name.split("|")[0] for name in names) & pictured
        for key in map(str, arrays["query"]):
            place = plan.places.get(key)
            if place is not None:
                seen[place] = seen[place] | owners if place in seen else owners
    found = []
    for chunk in chunks:
        lacks = {q: (pictured if q < SHOWN else wanted) - seen.get(q, frozenset()) for q in chunk}
        queries = tuple(q for q, owners in lacks.items() if owners)
        if queries:
            found.append(Lack(queries, frozenset().union(*lacks.values())))
    return found


def to_do(
    prepared: Prepared, store: Store, share: tuple[int, int] = (0, 1), only: Audit | None = None
) -> tuple[Pieces, Pieces]:
    """The pieces that are missing: (of references, of audits). only: of that audit alone."""
    plan, mine = prepared.plan, prepared.plan.chunks(*share)
    lacks = {
        audit: missing(store, plan, audit, mine) for audit in plan.looks if only in (None, audit)
    }
    first: list[tuple[Drawn, Lack]] = []
    kept = plan.suite.precision(tuple(prepared.components.dataset.data_shape))
    for reference in references(list(lacks)):
        if not keeps(kept, reference):
            continue  # they are drawn where they are needed
        there, whole = held(store, plan, reference), (1 << plan.per_query) - 1
        needed = {
            q
            for audit, found in lacks.items()
            for lack in found
            for q in lack.queries
            if audit.reference == reference
        }
        for chunk in mine:
            absent = (q for q in chunk if q in needed and _draws(there, plan.keys[q]) != whole)
            if queries := tuple(absent):
                first.append((reference, Lack(queries, frozenset())))
    then: list[tuple[Drawn, Lack]] = [(a, lack) for a, found in lacks.items() for lack in found]
    return Pieces(plan, first), Pieces(plan, then)


def _draws(there: Held, key: str) -> int:
    return there[key][0] if key in there else 0
