"""The blind-spot matrix as a heat map for the page: one table for each prior and sampler."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fiber_audit.contracts import Table

from .blind_spot_matrix import seen

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "nothing (unguided)"
CAPTION = (
    "Draws of {draws}. Each row holds draws that were guided by one extractor, each column "
    "measures them with one: their Fréchet distance to the queries as a share of that of the "
    "prior's own draws; under it its 95 % interval, and the Fréchet distance (FD) itself. A small "
    "number on the outlined diagonal beside large ones in its row is a blind spot: that extractor "
    "does not see what the others see. The stronger the colour, the larger the share. The name of "
    "a row leads to its draws."
)


def heat_maps(records: pd.DataFrame) -> list[Table]:
    """Guided by x measured by, for every prior and sampler of the records."""
    rows = seen(records)
    groups = rows.groupby(["prior", "sampler"], sort=False, dropna=False)
    return [
        _table(f"{prior} / {sampler}", part)
        for (prior, sampler), part in groups
        if (part["statistic"] == "relative").any()
    ]


def _table(draws: str, rows: pd.DataFrame) -> Table:
    relative = rows[rows["statistic"] == "relative"]
    guides = [str(name) for name in relative["extractor"].unique()]
    names = [str(name) for name in relative["seen_by"].unique()]
    names.sort(key=lambda name: guides.index(name) if name in guides else len(guides))
    cells: dict[tuple[str, str, str], Any] = {
        (str(row["statistic"]), str(row["extractor"]), str(row["seen_by"])): row
        for _, row in rows.iterrows()
    }
    unguided = {name: _distance(cells, "unguided", guides, name) for name in names}
    low, high = float(relative["value"].min()), float(relative["value"].max())
    texts: list[tuple[str, tuple[str, ...]]] = []
    shades: list[tuple[float | None, ...]] = []
    if any(unguided.values()):
        free = tuple(f"1\n{unguided[name]}" if unguided[name] else "" for name in names)
        texts.append((NOTHING, free))
        shades.append((None,) * len(names))
    first = len(texts)
    for guide in guides:
        here = [cells.get(("relative", guide, name)) for name in names]
        far = [_distance(cells, "frechet", [guide], name) for name in names]
        texts.append((guide, tuple(_text(row, fd) for row, fd in zip(here, far, strict=True))))
        shades.append(tuple(_shade(row, low, high) for row in here))
    audits = zip(relative["extractor"], relative["audit"], strict=True)
    return Table(
        title=f"Blind spots: {draws}",
        caption=CAPTION.format(draws=draws),
        corner="guided by \\ measured by",
        columns=tuple(names),
        rows=tuple(texts),
        shades=tuple(shades),
        marked=tuple((first + i, names.index(g)) for i, g in enumerate(guides) if g in names),
        links={str(guide): str(audit) for guide, audit in audits},
    )


def _text(row: Any, distance: str) -> str:
    """The share, its interval and the distance, a line each."""
    if row is None:
        return ""
    lines = [number(float(row["value"]))]
    low, high = (row[end] for end in ("ci_low", "ci_high"))
    if _known(low) and _known(high):
        lines.append(f"{number(float(low))} to {number(float(high))}")
    return "\n".join([*lines, *([distance] if distance else [])])


def _distance(cells: dict[tuple[str, str, str], Any], what: str, guides: list[str], by: str) -> str:
    found = [cells[what, guide, by] for guide in guides if (what, guide, by) in cells]
    return f"FD {number(float(found[0]['value']))}" if found else ""


def _shade(row: Any, low: float, high: float) -> float | None:
    if row is None:
        return None
    return (float(row["value"]) - low) / (high - low) if high > low else 0.0


def _known(cell: Any) -> bool:
    import pandas as pd

    return not pd.isna(cell) and math.isfinite(float(cell))


def number(value: float) -> str:
    """Three significant digits, thousands without an exponent.

    >>> number(0.012345), number(1234.5), number(4.4e-8)
    ('0.0123', '1234', '4.4e-08')
    """
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
