"""Attributes as bars from "pinned" to "ignored", of the tables whose sentences tell the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..contracts import Table


@dataclass(frozen=True)
class AttributeBar:
    """One attribute of one audit: what share of its variation is left along a fiber.

    text: the share, or why there is none. interval: its 95 % interval in words. share, low, high:
    the same as numbers, which noise may take beyond 0 and 1; None where there is none.
    """

    name: str
    text: str
    interval: str = ""
    share: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def fill(self) -> float:
        """How much of the track is full, in per cent."""
        return _percent(self.share or 0.0)

    @property
    def whisker(self) -> tuple[float, float] | None:
        """Where the interval begins and how long it is within the track, in per cent."""
        if self.low is None or self.high is None:
            return None
        start = _percent(self.low)
        return start, round(_percent(self.high) - start, 1)

    @property
    def alt(self) -> str:
        """The bar in words."""
        known = f", 95 % interval {self.interval}" if self.interval else ""
        return f"{self.name}: {self.text}{known}; 0 % is pinned, 100 % is ignored"


def bars_of(tables: Mapping[str, Sequence[Table]], audit: str) -> tuple[AttributeBar, ...]:
    """The most ignored attribute first, those without a number last."""
    found = [
        bar
        for offered in tables.values()
        for table in offered
        if audit in table.sentences
        for bar in _bars(table, audit)
    ]
    return tuple(sorted(found, key=lambda bar: -1.0 if bar.share is None else -bar.share - 1))


def _bars(table: Table, audit: str) -> Iterator[AttributeBar]:
    for (heading, cells), numbers in zip(table.rows, table.numbers, strict=False):
        if table.links.get(heading, heading) != audit:
            continue
        for name, text, behind in zip(table.columns, cells, numbers, strict=True):
            lines = text.splitlines()
            if behind is None:
                yield AttributeBar(name, text or "not measured")
            else:
                yield AttributeBar(name, lines[0], " ".join(lines[1:]), *behind)


def _percent(share: float) -> float:
    return round(100 * min(max(share, 0.0), 1.0), 1)
