"""A run against an earlier one: did a headline number get worse by more than the tolerance?

The change d = new - base holds where it is no worse than T = tolerance |base|. Where both runs
hold the same queries, it is judged on their paired differences.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from .._suite.condition import LOST, TOLERANCE, Difference
from ..errors import UsageError
from ..records import KEY, alike, headlines
from .change import change, measured
from .interval import Status

if TYPE_CHECKING:
    import pandas as pd

IDENTITY: dict[Difference, str] = {
    "n": "n",
    "weights": "weights_sha256",
    "config": "config_hash",
}
"""What must not differ between two runs unless the user allows it -> its column."""
COMPARED = [*KEY, "query", "value", "stderr", "status", "message", *IDENTITY.values()]
"""The columns that a change is judged by."""


@dataclass(frozen=True)
class Comparison:
    """One number of one audit in both runs.

    seen_by is the extractor whose view it is, where the number has one. difference is new - base
    with its 95 % interval [low, high]; change is relative to |base|, None where base is 0. n counts
    the pairs, or the smaller n of the two where nothing is paired; needed is the n that would
    decide an inconclusive one.
    """

    audit: str
    metric: str
    statistic: str
    seen_by: str | None
    status: Status
    message: str
    base: float | None = None
    new: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    change: float | None = None
    n: int | None = None
    paired: bool = False
    needed: int | None = None


def compare(
    base: pd.DataFrame,
    new: pd.DataFrame,
    tolerance: float = TOLERANCE,
    allow: Collection[Difference] = (),
) -> list[Comparison]:
    """Compare every headline that has a better direction, audit by audit.

    tolerance: the relative change for the worse that still passes. A number that BASE has and NEW
    lacks is an error row; one that only NEW has is skipped.

    Raises:
        UsageError: the runs differ in n, weights or configuration, and `allow` does not say so;
            or they hold no headline. The message has one sentence for each obstacle.
    """
    before, after = _directed(base), _directed(new)
    problems = list(obstacles(before, after, allow, lost_draws(base, new)))
    if problems:
        raise UsageError("\n".join(problems))
    rows = {**_by_key(after), **_by_key(before)}
    if not rows:
        raise UsageError("BASE and NEW hold no headline numbers: give two finished runs.")
    earlier, later = by_audit(base), by_audit(new)
    return [
        judge_change(earlier.get(key[0], base[:0]), later.get(key[0], new[:0]), row, tolerance)
        for key, row in rows.items()
    ]


def by_audit(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Audit -> what is compared of its rows: a table is large, and much is looked up in it."""
    groups = records[COMPARED].groupby("audit", sort=False)
    return {str(audit): rows for audit, rows in groups}


def lost_draws(*tables: pd.DataFrame) -> dict[str, float]:
    """How many draws each audit lost in all runs together."""
    found: dict[str, float] = {}
    for table in tables:
        rows = table[table["query"].isna() & table["metric"].eq(LOST).fillna(False)]
        for audit, value in zip(rows["audit"], rows["value"].fillna(0), strict=True):
            found[audit] = found.get(audit, 0) + float(value)
    return found


def obstacles(
    base: pd.DataFrame,
    new: pd.DataFrame,
    allow: Collection[Difference] = (),
    lost: Mapping[str, float] | None = None,
) -> Iterator[str]:
    """One sentence for each reason why rows of two runs cannot be compared as they are.

    lost: audit -> draws that the two runs lost; an n that differs by no more is not another n.
    """
    both = base.merge(new, on=KEY, suffixes=("_base", "_new"))
    for what, column in IDENTITY.items():
        if what in allow:
            continue
        before, after = both[f"{column}_base"], both[f"{column}_new"]
        differs = before.ne(after).fillna(False).astype(bool)
        if what == "n" and lost:
            tolerated = both["audit"].map(lost).fillna(0)
            differs &= (before - after).abs().gt(tolerated).fillna(False).astype(bool)
        for _, row in both[differs].drop_duplicates("audit").iterrows():
            yield (
                f"{row['audit']}: {what} is {str(row[f'{column}_base'])[:12]} in BASE and "
                f"{str(row[f'{column}_new'])[:12]} in NEW: make the runs alike, or say that this "
                f"is meant with allow = {what!r} (--allow {what})."
            )


def judge_change(
    base: pd.DataFrame, new: pd.DataFrame, row: pd.Series[Any], tolerance: float
) -> Comparison:
    """Judge the change of one pooled row, found in both runs by its key.

    base, new: the rows of its audit.
    """
    key = _key(row)
    audit, metric, statistic, seen_by = key
    view = f"{statistic}, seen by {seen_by}" if seen_by else statistic
    name = f"{metric} ({view}) of {audit}"
    before, after = _pooled(base, row), _pooled(new, row)
    if before is None:
        return Comparison(*key, "skipped", f"{name} has no number in BASE.")
    if after is None:
        message = f"{name} has no number in NEW: {_why(new)}"
        return Comparison(*key, "error", message)
    b, v = measured(base, before), measured(new, after)
    found = change(b, v)
    if not found.finite:
        message = f"{name}: no float holds the change from {b.value:.4g} to {v.value:.4g}."
        return Comparison(*key, "error", message, b.value, v.value)
    allowed = tolerance * abs(b.value)
    worse = {"lower": (-math.inf, allowed), "higher": (-allowed, math.inf)}
    decision = found.decide(*worse.get(str(row["better"]), (-allowed, allowed)))
    interval = found.interval
    relative = found.difference / abs(b.value) if b.value else math.inf
    moved = f"{relative:+.1%}" if math.isfinite(relative) else f"{found.difference:+.4g}"
    message = f"{name}: {b.value:.4g} -> {v.value:.4g} ({moved}, tolerance {tolerance:.1%})"
    if decision.status == "inconclusive":
        unit = " queries" if found.paired else ""
        known = f"n = {decision.needed}{unit}" if decision.needed else "no larger n"
        message += f"; {known} would decide it, by this run's spread"
    return Comparison(
        *key,
        decision.status,
        message + ".",
        base=b.value,
        new=v.value,
        difference=found.difference,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        change=relative if math.isfinite(relative) else None,
        n=interval.n if interval else min(b.n, v.n),
        paired=found.paired,
        needed=decision.needed,
    )


def table(comparisons: Collection[Comparison]) -> pd.DataFrame:
    """The comparisons as a frame, one row each, columns in the order of `Comparison`."""
    import pandas as pd

    rows = [asdict(comparison) for comparison in comparisons]
    return pd.DataFrame(rows, columns=[field.name for field in fields(Comparison)])


def _directed(records: pd.DataFrame) -> pd.DataFrame:
    """The headlines of which less, or more, is better."""
    found = headlines(records)
    return found[found["better"].isin(["lower", "higher"])]


def _key(row: pd.Series[Any]) -> tuple[str, str, str, str | None]:
    missing = row.isna()
    audit, metric, statistic, seen_by = (
        None if missing[column] else str(row[column]) for column in KEY
    )
    return audit or "", metric or "", statistic or "", seen_by


def _by_key(rows: pd.DataFrame) -> dict[tuple[str, str, str, str | None], pd.Series[Any]]:
    return {_key(row): row for _, row in rows.iterrows()}


def _why(rows: pd.DataFrame) -> str:
    """What a run says about an audit that lacks a number."""
    said = rows[rows["message"].notna()]
    failed = said[said["status"].isin(["error", "skipped"])]
    found = failed if len(failed) else said
    return str(found["message"].iloc[0]) if len(found) else "that run does not hold it."


def _pooled(records: pd.DataFrame, like: pd.Series[Any]) -> pd.Series[Any] | None:
    found = alike(records, like)
    found = found[found["query"].isna() & found["value"].notna()]
    return None if found.empty else found.iloc[0]
