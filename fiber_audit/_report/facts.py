"""What the run cost, and where it came from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .numbers import MISSING, cell, number

if TYPE_CHECKING:
    import pandas as pd

COSTS = {
    "seconds": "seconds",
    "prior_forward": "prior forward",
    "prior_backward": "prior backward",
    "decode_forward": "decoder forward",
    "decode_backward": "decoder backward",
    "extractor_forward": "extractor forward",
    "extractor_backward": "extractor backward",
}
RUN = (
    "run_id", "started_at", "suite", "seed", "config_hash", "device", "dtype", "batch_size",
    "fiber_audit_version", "torch_version", "git_sha", "git_dirty",
)  # fmt: skip
DEEPEST = 4
"""Levels of nested facts that are told; a page needs no more, and no file may ask for more."""


def costs(records: pd.DataFrame) -> dict[str, list[str]]:
    """Audit -> means per draw, in the order of COSTS; audits that drew nothing are left out."""
    found = {}
    for audit, rows in records.groupby("audit", sort=False):
        known = rows[rows["seconds"].notna()]
        if len(known):
            found[str(audit)] = [number(cell(known.iloc[0], c)) for c in COSTS]
    return found


@dataclass(frozen=True)
class Provenance:
    """run: fact -> value; environment: the same for environment.json; weights: name -> digest."""

    run: list[tuple[str, str]]
    environment: list[tuple[str, str]]
    weights: list[tuple[str, str]]
    plugins: list[tuple[str, str]]


def provenance(records: pd.DataFrame, environment: Mapping[str, object]) -> Provenance:
    """The facts that a stranger needs to make the run again."""
    run = []
    for column in RUN:
        values = records[column].dropna()
        if len(values):
            value = str(values.iloc[0])
            if column == "git_dirty":
                value = "yes" if value not in ("0", "False") else "no"
            run.append((column.replace("_", " "), value))
    names = {name.replace(" ", "_") for name, _ in run}
    rest = {k: v for k, v in environment.items() if k not in names and k != "fiber_audit"}
    return Provenance(
        run,
        list(_flat(rest)),
        _pairs(records, "extractor", "weights_sha256"),
        _pairs(records, "plugin", "plugin_version"),
    )


def _pairs(records: pd.DataFrame, name: str, fact: str) -> list[tuple[str, str]]:
    known = records[[name, fact]].dropna().drop_duplicates()
    return [(str(a), str(b)) for a, b in known.itertuples(index=False)]


def _flat(facts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Facts -> (name, text); facts of facts get a line each, and empty ones are left out."""
    for key, value in facts.items():
        name = key.replace("_", " ")
        if isinstance(value, Mapping) and any(isinstance(v, Mapping) for v in value.values()):
            told = [(f"{name}: {inner}", _told(v, DEEPEST)) for inner, v in value.items()]
        else:
            told = [(name, _told(value, DEEPEST))]
        yield from ((what, text) for what, text in told if text)


def _told(value: object, levels: int) -> str:
    """A fact in one line."""
    if isinstance(value, Mapping | list) and not levels:
        return "…"
    if isinstance(value, Mapping):
        parts = ((k, _told(v, levels - 1)) for k, v in value.items())
        return ", ".join(f"{k} {text}" for k, text in parts if text)
    if isinstance(value, list):
        return ", ".join(_told(v, levels - 1) for v in value)
    if isinstance(value, float) and not math.isfinite(value):
        return MISSING
    return "" if value is None else str(value)
