"""How often each rank occurs, statistic by statistic: a table of `query_rank` for the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from scipy import stats

from fiber_audit.contracts import Table

if TYPE_CHECKING:
    import pandas as pd

WORDS = "queries at each rank: "
CAPTION = (
    "{audit}: how many of {q} queries have each rank among their own draws, from below all of them "
    "to above all. A query is a draw of its fiber's law, too: if the others are, a cell is near "
    "{even:.3g}, and with 95 % no cell of a row is outside {low} to {high}. Outlined cells are. "
    "Many at both ends: draws vary too little; many in the middle: too much; a slope: they are "
    "shifted."
)


def ranks_in_words(counts: Sequence[int]) -> str:
    """Counts as the message of a record tells them."""
    return WORDS + ", ".join(map(str, counts))


def counts_in(message: str) -> tuple[int, ...]:
    """The counts that a message tells, or none.

    >>> counts_in("p = 0.2; " + ranks_in_words([3, 5, 4]))
    (3, 5, 4)
    """
    told = re.search(f"{WORDS}([0-9, ]+)$", message)
    return tuple(map(int, told[1].split(", "))) if told else ()


def rank_tables(records: pd.DataFrame) -> list[Table]:
    """One table for each audit that has ranks."""
    rows = records[records["metric"].eq("query_rank") & records["query"].isna()]
    rows = rows[rows["value"].notna() & rows["message"].str.contains(WORDS).fillna(False)]
    return [_table(str(audit), part) for audit, part in rows.groupby("audit", sort=False)]


def _table(audit: str, rows: pd.DataFrame) -> Table:
    found = {}
    for name, by, message in zip(rows["statistic"], rows["seen_by"], rows["message"], strict=True):
        heading = f"{name}, seen by {by}" if isinstance(by, str) else str(name)
        found[heading] = counts_in(str(message))
    q, bins = (f(next(iter(found.values()))) for f in (sum, len))
    low, high = (int(stats.binom.ppf(end, q, 1 / bins)) for end in _ends(bins))
    return Table(
        title=f"Rank of the query among its draws: {audit}",
        caption=CAPTION.format(audit=audit, q=q, even=q / bins, low=low, high=high),
        corner="statistic \\ rank",
        columns=tuple(f"{i / bins:.2g}" for i in range(bins)),
        rows=tuple((name, tuple(map(str, counts))) for name, counts in found.items()),
        shades=tuple(tuple(min(1.0, n * bins / (2 * q)) for n in each) for each in found.values()),
        marked=tuple(
            (row, column)
            for row, counts in enumerate(found.values())
            for column, n in enumerate(counts)
            if not low <= n <= high
        ),
    )


def _ends(bins: int) -> tuple[float, float]:
    """Probabilities of the band's ends, for all cells of a row at once."""
    return 0.025 / bins, 1 - 0.025 / bins
