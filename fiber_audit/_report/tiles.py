"""Tables that metrics offer -> what the page shows: shaded, outlined, linked to the draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..contracts import Table


@dataclass(frozen=True)
class Tile:
    """One cell: lines of text, how strong its colour is (0 to 1, None for none), and an outline."""

    lines: tuple[str, ...]
    shade: float | None
    marked: bool


@dataclass(frozen=True)
class TileRow:
    """A heading, the anchor of the draws that it leads to ("" for none), and a tile per column."""

    heading: str
    anchor: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Exhibit:
    """One table as the page shows it."""

    metric: str
    table: Table
    rows: tuple[TileRow, ...]


@dataclass(frozen=True)
class Sentence:
    """What a table says of an audit, in words, and the anchor of its draws ("" for none)."""

    text: str
    audit: str
    anchor: str


def sentences(
    tables: Mapping[str, Sequence[Table]], anchors: Mapping[str, str]
) -> Iterator[Sentence]:
    """Every sentence of every table. anchors: audit -> where its draws are on the page."""
    for table in (table for offered in tables.values() for table in offered):
        for audit, text in table.sentences.items():
            yield Sentence(text, audit, anchors.get(audit, ""))


def exhibits(
    tables: Mapping[str, Sequence[Table]], anchors: Mapping[str, str]
) -> Iterator[Exhibit]:
    """Every table of every metric. anchors: audit -> where its draws are on the page."""
    for metric, offered in tables.items():
        for table in offered:
            rows = tuple(_row(table, i, anchors) for i in range(len(table.rows)))
            yield Exhibit(metric, table, rows)


def _row(table: Table, i: int, anchors: Mapping[str, str]) -> TileRow:
    heading, cells = table.rows[i]
    shades = table.shades[i] if table.shades else (None,) * len(cells)
    tiles = tuple(
        Tile(
            lines=tuple(text.splitlines()),
            shade=None if shade is None or not text else round(shade, 3),
            marked=(i, j) in table.marked,
        )
        for j, (text, shade) in enumerate(zip(cells, shades, strict=True))
    )
    return TileRow(heading, anchors.get(table.links.get(heading, ""), ""), tiles)
