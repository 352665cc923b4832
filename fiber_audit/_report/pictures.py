"""Galleries -> what the page shows of each query: its draws from best to worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .._score.gallery import MOST_QUERIES, Gallery
from .images import SMALLEST, data_uri, side_for
from .numbers import number, short

MOST_DRAWS = 8
MOST_COLUMNS = 8
PIXELS = 4_000_000
"""Pixels of all pictures of a page together; many or large pictures are shown smaller."""


@dataclass(frozen=True)
class ShownDraw:
    """One input: a picture (a data URI), or the cells of a table row; neither where it was lost."""

    picture: str = ""
    cells: tuple[str, ...] = ()
    loss: str = ""
    suspicious: bool = False

    @property
    def lost(self) -> bool:
        """True where there is nothing to show."""
        return not (self.picture or self.cells)


@dataclass(frozen=True)
class QueryGrid:
    """One query, some of its draws by rising fiber loss, and the unguided draws."""

    id: str
    query: ShownDraw
    draws: tuple[ShownDraw, ...]
    unguided: tuple[ShownDraw, ...]


@dataclass(frozen=True)
class AuditGrid:
    """What is shown of one audit, and what is not; large pictures get more room."""

    tabular: bool
    large: bool
    columns: int
    queries: tuple[QueryGrid, ...]
    notes: tuple[str, ...]
    suspicious: int
    draws: int


def grids(galleries: Mapping[str, Gallery]) -> dict[str, AuditGrid]:
    """Every audit's gallery, cut to the queries, draws and pixels that a page can hold."""
    pictures = sum(
        min(len(g.query_ids), MOST_QUERIES) * (1 + 2 * min(g.draws.shape[1], MOST_DRAWS))
        for g in galleries.values()
    )
    side = side_for(pictures, PIXELS)
    return {audit: _grid(gallery, side) for audit, gallery in galleries.items()}


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
        tabular=tabular,
        large=not tabular and max(gallery.queries.shape[2:]) > 2 * SMALLEST,
        columns=min(width, MOST_COLUMNS),
        queries=tuple(_query(gallery, i, side) for i in range(shown)),
        notes=tuple(notes),
        suspicious=int(gallery.suspicious.sum()),
        draws=int((~gallery.lost).sum()),
    )


def _query(gallery: Gallery, i: int, side: int) -> QueryGrid:
    images = gallery.queries.ndim == 4
    nothing = gallery.unguided_lost[i]

    def shown(x: np.ndarray, loss: str = "", suspicious: bool = False) -> ShownDraw:
        if images:
            return ShownDraw(data_uri(x, side), (), loss, suspicious)
        cells = tuple(number(float(v)) for v in x.reshape(-1)[:MOST_COLUMNS])
        return ShownDraw("", cells, loss, suspicious)

    def draw(j: int) -> ShownDraw:
        if gallery.lost[i, j]:
            return ShownDraw()
        loss = short(float(gallery.fiber_loss[i, j]))
        return shown(gallery.draws[i, j], loss, bool(gallery.suspicious[i, j]))

    order = _order(gallery.fiber_loss[i], gallery.lost[i])
    return QueryGrid(
        id=gallery.query_ids[i],
        query=shown(gallery.queries[i]),
        draws=tuple(draw(j) for j in order),
        unguided=tuple(ShownDraw() if nothing[j] else shown(gallery.unguided[i, j]) for j in order),
    )


def _order(loss: np.ndarray, lost: np.ndarray) -> list[int]:
    """The draws to show: by rising loss, then those that were lost, which take at most 2 places."""
    there, gone = np.flatnonzero(~lost), np.flatnonzero(lost)
    ranked = there[np.argsort(loss[there], kind="stable")]
    kept = [int(ranked[r]) for r in spread(len(ranked), MOST_DRAWS - min(len(gone), 2))]
    return kept + [int(j) for j in gone[: MOST_DRAWS - len(kept)]]
