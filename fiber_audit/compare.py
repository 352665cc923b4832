"""A run against an earlier one: did a headline number get worse by more than the tolerance?

The change d = new - base holds where it is no worse than T = tolerance |base|. Where both runs
hold the same queries, it is judged on their paired differences.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .change import change, measured
from .decision import Status
from .errors import DataError, UsageError

if TYPE_CHECKING:
    import pandas as pd

Difference = Literal["n", "weights", "config"]
IDENTITY: dict[Difference, str] = {
    "n": "n",
    "weights": "weights_sha256",
    "config": "config_hash",
}
"""What must not differ between two runs unless the user allows it -> its column."""
TOLERANCE = 0.05
KEY = ["audit", "metric", "statistic"]


@dataclass(frozen=True)
class Comparison:
    """One number of one audit in both runs.

    difference is new - base with its 95 % interval [low, high]; change is relative to |base|,
    None where base is 0. n counts the pairs, or the smaller n of the two where nothing is paired;
    needed is the n that would decide an inconclusive one.
    """

    audit: str
    metric: str
    statistic: str
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
    before, after = headlines(base), headlines(new)
    problems = list(obstacles(before, after, allow))
    if problems:
        raise UsageError("\n".join(problems))
    rows = {**_by_key(after), **_by_key(before)}
    if not rows:
        raise UsageError("BASE and NEW hold no headline numbers: give two finished runs.")
    return [judge_change(base, new, row, tolerance) for row in rows.values()]


def headlines(records: pd.DataFrame) -> pd.DataFrame:
    """Pooled rows that a reader sees first: statistic "mean", or a metric's only pooled one."""
    pooled = records[records["query"].isna() & records["better"].isin(["lower", "higher"])]
    alone = ~pooled.duplicated(["audit", "metric"], keep=False)
    return pooled[alone | (pooled["statistic"] == "mean").fillna(False)]


def obstacles(
    base: pd.DataFrame, new: pd.DataFrame, allow: Collection[Difference] = ()
) -> Iterator[str]:
    """One sentence for each reason why rows of two runs cannot be compared as they are."""
    both = base.merge(new, on=KEY, suffixes=("_base", "_new"))
    for what, column in IDENTITY.items():
        if what in allow:
            continue
        differs = both[both[f"{column}_base"].ne(both[f"{column}_new"]).fillna(False)]
        for _, row in differs.drop_duplicates("audit").iterrows():
            yield (
                f"{row['audit']}: {what} is {str(row[f'{column}_base'])[:12]} in BASE and "
                f"{str(row[f'{column}_new'])[:12]} in NEW: make the runs alike, or say that this "
                f"is meant with allow = {what!r} (--allow {what})."
            )


def judge_change(
    base: pd.DataFrame, new: pd.DataFrame, row: pd.Series[Any], tolerance: float
) -> Comparison:
    """Judge the change of one pooled row, found in both runs by audit, metric and statistic."""
    audit, metric, statistic = (str(row[column]) for column in KEY)
    name = f"{metric} ({statistic}) of {audit}"
    before, after = _pooled(base, row), _pooled(new, row)
    if before is None:
        return Comparison(audit, metric, statistic, "skipped", f"{name} has no number in BASE.")
    if after is None:
        message = f"{name} has no number in NEW: {_why(new, audit)}"
        return Comparison(audit, metric, statistic, "error", message)
    b, v = measured(base, before), measured(new, after)
    found = change(b, v)
    allowed = tolerance * abs(b.value)
    worse = {"lower": (-math.inf, allowed), "higher": (-allowed, math.inf)}
    decision = found.decide(*worse.get(str(row["better"]), (-allowed, allowed)))
    interval = found.interval
    relative = found.difference / abs(b.value) if b.value else None
    moved = f"{relative:+.1%}" if relative is not None else f"{found.difference:+.4g}"
    message = f"{name}: {b.value:.4g} -> {v.value:.4g} ({moved}, tolerance {tolerance:.1%})"
    if decision.status == "inconclusive":
        unit = " queries" if found.paired else ""
        known = f"n = {decision.needed}{unit}" if decision.needed else "no larger n"
        message += f"; {known} would decide it, by this run's spread"
    return Comparison(
        audit,
        metric,
        statistic,
        decision.status,
        message + ".",
        base=b.value,
        new=v.value,
        difference=found.difference,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        change=relative,
        n=interval.n if interval else min(b.n, v.n),
        paired=found.paired,
        needed=decision.needed,
    )


def table(comparisons: Collection[Comparison]) -> pd.DataFrame:
    """The comparisons as a frame, one row each, columns in the order of `Comparison`."""
    import pandas as pd

    rows = [asdict(comparison) for comparison in comparisons]
    return pd.DataFrame(rows, columns=[field.name for field in fields(Comparison)])


def update_baseline(run: Path, baseline: Path) -> Path:
    """Make the records of a finished run the new baseline file; returns it.

    Atomic: a reader sees the old file or the new one.

    Raises:
        DataError: the run has no records, or rows with status error.
    """
    from .records import read_csv
    from .store import write_atomically

    source = run / "records.csv" if run.is_dir() else run
    errors = int((read_csv(source)["status"] == "error").sum())
    if errors:
        raise DataError(f"{source}: {errors} rows are errors; a baseline needs a run without any.")
    write_atomically(baseline, source.read_bytes())
    return baseline


def _by_key(rows: pd.DataFrame) -> dict[tuple[str, ...], pd.Series[Any]]:
    return {tuple(str(row[column]) for column in KEY): row for _, row in rows.iterrows()}


def _why(records: pd.DataFrame, audit: str) -> str:
    """What a run says about an audit that lacks a number."""
    said = records[(records["audit"] == audit) & records["message"].notna()]["message"]
    return str(said.iloc[0]) if len(said) else "that run does not hold it."


def _pooled(records: pd.DataFrame, like: pd.Series[Any]) -> pd.Series[Any] | None:
    found = records[records["query"].isna() & records["value"].notna()]
    for column in KEY:
        found = found[found[column] == like[column]]
    return None if found.empty else found.iloc[0]
