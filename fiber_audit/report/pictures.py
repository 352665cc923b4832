"""Galleries -> what the page shows of each query: its draws from best to worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .gallery import MOST_QUERIES, Gallery
from .images import SMALLEST, data_uri, side_for
from .numbers import number

MOST_DRAWS = 8
MOST_COLUMNS = 8
PIXELS = 4_000_000
"""Pixels of all pictures of a page together; many or large pictures are shown smaller."""


@dataclass(frozen=True)
class Shown:
    """One input: a picture (a data URI), or the cells of a table row."""

    picture: str
    cells: tuple[str, ...]
    loss: str = ""
    suspicious: bool = False


@dataclass(frozen=True)
class QueryGrid:
    """One query, some of its draws by rising fiber loss, and the unguided draws."""

    id: str
    query: Shown
    draws: tuple[Shown, ...]
    unguided: tuple[Shown, ...]


@dataclass(frozen=True)
class AuditGrid:
    """What is shown of one audit, and what is not; large pictures get more room."""

    audit: str
    tabular: bool
    large: bool
    columns: int
    queries: tuple[QueryGrid, ...]
    notes: tuple[str, ...]
    suspicious: int
    draws: int


def grids(galleries: Sequence[Gallery]) -> list[AuditGrid]:
    """Every gallery, cut to a number of queries, draws and pixels that a page can hold."""
    pictures = sum(
        min(len(g.query_ids), MOST_QUERIES) * (1 + 2 * min(g.draws.shape[1], MOST_DRAWS))
        for g in galleries
    )
    side = side_for(pictures, PIXELS)
    return [_grid(gallery, side) for gallery in galleries]


def spread(k: int, most: int = MOST_DRAWS) -> list[int]:
    """Ranks out of k, the best and the worst among them.

    >>> spread(4, 8), spread(100, 4)
    ([0, 1, 2, 3], [0, 33, 66, 99])
    """
    return [int(r) for r in np.linspace(0, k - 1, min(k, most)).round()]


def _grid(gallery: Gallery, side: int) -> AuditGrid:
    tabular = gallery.queries.ndim != 4
    shown = min(len(gallery.query_ids), MOST_QUERIES)
    k, width = gallery.draws.shape[1], int(np.prod(gallery.queries.shape[1:]))
    in_all = max(gallery.queries_in_all, len(gallery.query_ids))
    notes = []
    if in_all > shown:
        notes.append(f"{in_all - shown} of {in_all} queries are not shown.")
    if k > MOST_DRAWS:
        notes.append(f"{MOST_DRAWS} of {k} draws per query are shown, evenly from best to worst.")
    if tabular and width > MOST_COLUMNS:
        notes.append(f"{MOST_COLUMNS} of {width} columns are shown.")
    return AuditGrid(
        audit=gallery.audit,
        tabular=tabular,
        large=not tabular and max(gallery.queries.shape[2:]) > 2 * SMALLEST,
        columns=min(width, MOST_COLUMNS),
        queries=tuple(_query(gallery, i, side) for i in range(shown)),
        notes=tuple(notes),
        suspicious=int(gallery.suspicious.sum()),
        draws=gallery.suspicious.size,
    )


def _query(gallery: Gallery, i: int, side: int) -> QueryGrid:
    images = gallery.queries.ndim == 4

    def shown(x: np.ndarray, loss: str = "", suspicious: bool = False) -> Shown:
        if images:
            return Shown(data_uri(x, side), (), loss, suspicious)
        cells = tuple(number(float(v)) for v in x.reshape(-1)[:MOST_COLUMNS])
        return Shown("", cells, loss, suspicious)

    loss = gallery.fiber_loss[i]
    order = np.argsort(loss, kind="stable")
    ranks = [int(order[r]) for r in spread(len(order))]
    return QueryGrid(
        id=gallery.query_ids[i],
        query=shown(gallery.queries[i]),
        draws=tuple(
            shown(gallery.draws[i, j], number(float(loss[j])), bool(gallery.suspicious[i, j]))
            for j in ranks
        ),
        unguided=tuple(shown(gallery.unguided[i, j]) for j in ranks),
    )
