"""Galleries -> what the page shows of each query: its draws from best to worst."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from .._score.gallery import MOST_QUERIES, Gallery
from .images import SMALLEST, data_uri, side_for
from .numbers import number, short
from .spread import Spread, spreads

MOST_DRAWS = 8
MOST_COLUMNS = 8
PIXELS = 4_000_000
"""Pixels of all pictures of a page together; many or large pictures are shown smaller."""
MOST_PICTURES = 4000
"""Of many audits fewer queries are shown."""
Keep = Callable[[str, np.ndarray], str]
"""(name, image) -> the address of the picture at full size, beside the page, or ""."""


@dataclass(frozen=True)
class ShownDraw:
    """One input: a picture (a data URI), or the cells of a table row; neither where it was lost.

    alt: the picture in words and numbers. full: where it lies at full size, if it is larger. why:
    what makes it suspicious.
    """

    picture: str = ""
    cells: tuple[str, ...] = ()
    loss: str = ""
    alt: str = ""
    why: str = ""
    full: str = ""

    @property
    def lost(self) -> bool:
        """True where there is nothing to show."""
        return not (self.picture or self.cells)


@dataclass(frozen=True)
class QueryGrid:
    """One query, some of its draws by rising fiber loss, the unguided draws, and their spread."""

    id: str
    query: ShownDraw
    draws: tuple[ShownDraw, ...]
    unguided: tuple[ShownDraw, ...]
    spread: Spread | None


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


def grids(galleries: Mapping[str, Gallery], keep: Keep) -> dict[str, AuditGrid]:
    """Every audit's gallery, cut to the queries, draws and pixels that a page can hold."""
    each = sum(3 + 2 * min(g.draws.shape[1], MOST_DRAWS) for g in galleries.values())
    queries = int(np.clip(MOST_PICTURES // max(each, 1), 1, MOST_QUERIES))
    side = side_for(each * queries, PIXELS)
    return {audit: _grid(gallery, queries, side, keep) for audit, gallery in galleries.items()}


def ranks(k: int, most: int = MOST_DRAWS) -> list[int]:
    """Ranks out of k, the best and the worst among them.

    >>> ranks(4, 8), ranks(100, 4)
    ([0, 1, 2, 3], [0, 33, 66, 99])
    """
    return [int(r) for r in np.linspace(0, k - 1, min(k, most)).round()]


def shown_draw(gallery: Gallery, i: int, j: int, side: int) -> ShownDraw:
    """Draw j of query i, with its loss, in a picture and in words."""
    if gallery.lost[i, j]:
        return ShownDraw(alt=f"draw {j + 1} for query {gallery.query_ids[i]} was lost")
    loss = float(gallery.fiber_loss[i, j])
    why = why_suspicious(gallery, i, j)
    alt = f"draw {j + 1} for query {gallery.query_ids[i]}, fiber loss {short(loss)}"
    if gallery.null > 0:
        alt += f", {number(100 * loss / gallery.null)} % of two queries' distance"
    if why:
        alt += f"; suspect: {why}"
    return shown(gallery.draws[i, j], side, short(loss), alt, why)


def why_suspicious(gallery: Gallery, i: int, j: int) -> str:
    """The reasons, or ""."""
    return " and ".join(why for why, draws in gallery.suspicions.items() if draws[i, j])


def shown(x: np.ndarray, side: int, loss: str = "", alt: str = "", why: str = "") -> ShownDraw:
    """An input as a picture, or as the first cells of its row."""
    if x.ndim == 3:
        return ShownDraw(data_uri(x, side), (), loss, alt, why)
    cells = tuple(number(float(v)) for v in x.reshape(-1)[:MOST_COLUMNS])
    return ShownDraw("", cells, loss, alt, why)


def _grid(gallery: Gallery, most: int, side: int, keep: Keep) -> AuditGrid:
    tabular = gallery.queries.ndim != 4
    count = min(len(gallery.query_ids), most)
    k, width = gallery.draws.shape[1], int(np.prod(gallery.queries.shape[1:]))
    in_all = max(gallery.queries_in_all, len(gallery.query_ids))
    notes = []
    if in_all > count:
        notes.append(f"{in_all - count} of {in_all} queries are not shown.")
    if k > MOST_DRAWS:
        notes.append(f"{MOST_DRAWS} of {k} draws per query are shown, evenly from best to worst.")
    if tabular and width > MOST_COLUMNS:
        notes.append(f"{MOST_COLUMNS} of {width} columns are shown.")
    spread = spreads(gallery, count, side)
    return AuditGrid(
        tabular=tabular,
        large=not tabular and max(gallery.queries.shape[2:]) > 2 * SMALLEST,
        columns=min(width, MOST_COLUMNS),
        queries=tuple(_query(gallery, i, side, spread[i], keep) for i in range(count)),
        notes=tuple(notes),
        suspicious=int(gallery.suspicious.sum()),
        draws=int((~gallery.lost).sum()),
    )


def _query(gallery: Gallery, i: int, side: int, spread: Spread | None, keep: Keep) -> QueryGrid:
    """The same order for draws and unguided draws: those of one noise are one below the other."""
    id_, images = gallery.query_ids[i], gallery.queries.ndim == 4

    def whole(of: ShownDraw, what: str, x: np.ndarray) -> ShownDraw:
        full = keep(f"{gallery.audit}\0{i}\0{what}", x) if images and not of.lost else ""
        return replace(of, full=full)

    def free(j: int) -> ShownDraw:
        if gallery.unguided_lost[i, j]:
            return ShownDraw(alt=f"the unguided draw from the noise of draw {j + 1} was lost")
        alt = f"unguided draw from the noise of draw {j + 1} for query {id_}"
        return whole(shown(gallery.unguided[i, j], side, alt=alt), f"u{j}", gallery.unguided[i, j])

    order = _order(gallery.fiber_loss[i], gallery.lost[i])
    query = shown(gallery.queries[i], side, alt=f"query {id_}")
    return QueryGrid(
        id=id_,
        query=whole(query, "q", gallery.queries[i]),
        draws=tuple(
            whole(shown_draw(gallery, i, j, side), f"d{j}", gallery.draws[i, j]) for j in order
        ),
        unguided=tuple(free(j) for j in order),
        spread=spread,
    )


def _order(loss: np.ndarray, lost: np.ndarray) -> list[int]:
    """The draws to show: by rising loss, then those that were lost, which take at most 2 places."""
    there, gone = np.flatnonzero(~lost), np.flatnonzero(lost)
    ranked = there[np.argsort(loss[there], kind="stable")]
    kept = [int(ranked[r]) for r in ranks(len(ranked), MOST_DRAWS - min(len(gone), 2))]
    return kept + [int(j) for j in gone[: MOST_DRAWS - len(kept)]]
