"""The blind-spot matrix: draws guided by one extractor, measured by every extractor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .headlines import BLIND_SPOT
from .numbers import Value, value_of

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "measured_by:"


@dataclass(frozen=True)
class Tile:
    """One cell of the matrix; shade is its value between the matrix's least, 0, and greatest, 1."""

    value: Value
    shade: float
    own: bool


@dataclass(frozen=True)
class Matrix:
    """rows: guided by -> a Tile per name of measured_by, None where there is no number."""

    title: str
    unit: str
    measured_by: list[str]
    rows: dict[str, list[Tile | None]]


def matrices(records: pd.DataFrame) -> list[Matrix]:
    """One matrix for each prior and sampler that has statistics ``measured_by:NAME``."""
    chosen = records[
        (records["metric"] == BLIND_SPOT)
        & records["query"].isna()
        & records["statistic"].str.startswith(PREFIX).fillna(False).astype(bool)
        & records["value"].notna()
    ]
    groups = chosen.groupby(["prior", "sampler"], sort=False, dropna=False)
    return [_matrix(f"{prior} / {sampler}", table) for (prior, sampler), table in groups]


def _matrix(title: str, table: pd.DataFrame) -> Matrix:
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
            tiles[name] = Tile(value_of(row), round(shade, 3), name == guided_by)
        rows[str(guided_by)] = [tiles.get(name) for name in names]
    units = table["unit"].dropna()
    return Matrix(title, str(units.iloc[0]) if len(units) else "", names, rows)
