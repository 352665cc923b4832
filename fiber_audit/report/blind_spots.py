"""The blind-spot matrix: draws guided by one extractor, measured by every extractor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .headlines import BLIND_SPOT
from .numbers import Value, number, value_of

if TYPE_CHECKING:
    import pandas as pd

PREFIX, DISTANCE, UNGUIDED = "measured_by:", "frechet_by:", "unguided_by:"


@dataclass(frozen=True)
class Tile:
    """One cell of the matrix; shade is its value between the matrix's least, 0, and greatest, 1.

    distance: the distance itself, in the units of the measuring network; "" if unknown.
    """

    value: Value
    distance: str
    shade: float
    own: bool


@dataclass(frozen=True)
class Matrix:
    """rows: guided by -> a Tile per name of measured_by, None where there is no number.

    unguided: the distance of the prior's own draws, per name of measured_by; "" if unknown.
    audits: guided by -> the audit whose draws the row holds.
    """

    title: str
    unit: str
    measured_by: list[str]
    rows: dict[str, list[Tile | None]]
    unguided: list[str]
    audits: dict[str, str]


def matrices(records: pd.DataFrame) -> list[Matrix]:
    """One matrix for each prior and sampler that has statistics ``measured_by:NAME``."""
    chosen = records[
        (records["metric"] == BLIND_SPOT) & records["query"].isna() & records["value"].notna()
    ]
    groups = chosen.groupby(["prior", "sampler"], sort=False, dropna=False)
    return [
        _matrix(f"{prior} / {sampler}", rows, table)
        for (prior, sampler), rows in groups
        if len(table := rows[rows["statistic"].str.startswith(PREFIX)])
    ]


def _matrix(title: str, every: pd.DataFrame, table: pd.DataFrame) -> Matrix:
    values = every.set_index(["extractor", "statistic"])["value"].to_dict()
    seen = [str(s).removeprefix(PREFIX) for s in table["statistic"].unique()]
    guides = [str(e) for e in table["extractor"].unique()]
    names = sorted(seen, key=lambda n: guides.index(n) if n in guides else len(guides))
    low, high = float(table["value"].min()), float(table["value"].max())
    rows: dict[str, list[Tile | None]] = {}
    for guided_by, part in table.groupby("extractor", sort=False):
        tiles: dict[str, Tile] = {}
        for _, row in part.iterrows():
            name = str(row["statistic"]).removeprefix(PREFIX)
            shade = (float(row["value"]) - low) / (high - low) if high > low else 0.0
            distance = _text(values.get((guided_by, DISTANCE + name)))
            tiles[name] = Tile(value_of(row), distance, round(shade, 3), name == guided_by)
        rows[str(guided_by)] = [tiles.get(name) for name in names]
    units = table["unit"].dropna()
    free = {
        name: _text(values[by, UNGUIDED + name])
        for name in names
        for by in guides
        if (by, UNGUIDED + name) in values
    }
    return Matrix(
        title,
        str(units.iloc[0]) if len(units) else "",
        names,
        rows,
        [free.get(name, "") for name in names] if free else [],
        {str(by): str(audit) for by, audit in zip(table["extractor"], table["audit"], strict=True)},
    )


def _text(value: float | None) -> str:
    return "" if value is None else number(value)
