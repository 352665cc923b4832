"""Thresholds on measurements, and their verdicts.

A condition bounds one statistic of one metric in every audit that its filters match, by `min` and
`max`, or by a baseline: an earlier records.csv and the relative change for the worse that is
tolerated. By default the 95 % interval is judged, not the value: a condition passes where the
whole interval holds, fails where none of it does, and is inconclusive between, with the n that
would decide it. ``decide = "value"`` looks at the value alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .compare import TOLERANCE, Difference, judge_change, obstacles
from .decision import Interval, Status, decide
from .errors import suggestion

if TYPE_CHECKING:
    import pandas as pd

FILTERS = ("extractor", "prior", "sampler")


@dataclass(frozen=True)
class Condition:
    """A bound on one statistic of one metric.

    statistic: None is the headline, "mean" or the metric's only pooled statistic.
    extractor, prior, sampler: the suite's names of the audits to test; None is any.
    min, max: the values that hold, in the metric's unit, ends included.
    baseline: a records.csv to compare with instead. tolerance is relative to its value; allow
        names what may differ between the two runs.
    severity: what a violated condition is called.
    decide: judge the interval, or the value alone.
    """

    metric: str
    statistic: str | None = None
    extractor: str | None = None
    prior: str | None = None
    sampler: str | None = None
    min: float | None = None
    max: float | None = None
    baseline: str | None = None
    tolerance: float = TOLERANCE
    allow: tuple[Difference, ...] = ()
    severity: Literal["warn", "fail"] = "fail"
    decide: Literal["interval", "value"] = "interval"
    name: str = ""

    @property
    def title(self) -> str:
        """The name, or a stable one made of what the condition says.

        >>> Condition("fiber_loss_rms", extractor="shape", max=0.1).title
        'fiber_loss_rms <= 0.1 (extractor = shape)'
        """
        if self.name:
            return self.name
        low = f"{self.min:g} <= " if self.min is not None else ""
        high = f" <= {self.max:g}" if self.max is not None else ""
        if self.baseline is not None:
            high = f" within {self.tolerance:.3g} of {Path(self.baseline).name}"
        where = [f"{f} = {getattr(self, f)}" for f in ("statistic", *FILTERS) if getattr(self, f)]
        return f"{low}{self.metric}{high}" + (f" ({', '.join(where)})" if where else "")


@dataclass(frozen=True)
class Verdict:
    """One condition on one audit, judged.

    audit is empty where the condition matched nothing. value and its 95 % interval are those of
    the judged record, whose index is row. low and high are the bounds in force, None where there
    is none. needed is the n that would decide an inconclusive verdict.
    """

    condition: Condition
    audit: str
    status: Status
    message: str
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    n: int | None = None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    needed: int | None = None
    row: int | None = None


def judge(
    records: pd.DataFrame,
    conditions: Sequence[Condition],
    baselines: Mapping[str, pd.DataFrame] | None = None,
) -> list[Verdict]:
    """Every condition on every audit that it matches; one that matches none is an error.

    records: the frame of `fiber_audit.records`. baselines: path as written in the condition ->
    its records, as `read_baselines` returns them.
    """
    known = baselines or {}
    return [verdict for c in conditions for verdict in _verdicts(records, c, known)]


def read_baselines(conditions: Collection[Condition], folder: Path) -> dict[str, pd.DataFrame]:
    """The baselines that conditions name, relative to folder (the suite's).

    Raises:
        DataError: one of them is missing, or is not a records.csv.
    """
    from .records import read_csv

    paths = {c.baseline for c in conditions if c.baseline is not None}
    return {path: read_csv(folder / path) for path in sorted(paths)}


def _verdicts(
    records: pd.DataFrame, condition: Condition, baselines: Mapping[str, pd.DataFrame]
) -> Iterator[Verdict]:
    """The verdicts of one condition, one for each audit that its filters match."""
    pooled = records[records["query"].isna() & records["audit"].notna()]
    for column in FILTERS:
        wanted = getattr(condition, column)
        if wanted is not None:
            known = suggestion(wanted, pooled[column].dropna().unique())
            pooled = pooled[_equal(pooled[column], wanted)]
            if pooled.empty:
                message = f"{condition.title}: no audit has {column} = {wanted!r}. {known}"
                yield Verdict(condition, "", "error", message)
                return
    if pooled.empty:
        yield Verdict(condition, "", "error", f"{condition.title}: the run holds no audit.")
    for audit, rows in pooled.groupby("audit", sort=False):
        row = _row(rows, condition)
        if row is None:
            metrics = records["metric"].dropna().unique()
            yield _absent(condition, str(audit), rows, metrics)
        elif row.isna()["value"]:
            yield _empty(condition, row)
        elif condition.baseline is None:
            yield _within(condition, row)
        else:
            yield _beside(condition, row, records, baselines.get(condition.baseline))


def _equal(column: pd.Series[Any], value: str) -> pd.Series[bool]:
    return (column == value).fillna(False).astype(bool)


def _row(rows: pd.DataFrame, condition: Condition) -> pd.Series[Any] | None:
    """The pooled row of one audit that the condition means."""
    rows = rows[_equal(rows["metric"], condition.metric)]
    if condition.statistic is not None or len(rows) > 1:
        rows = rows[_equal(rows["statistic"], condition.statistic or "mean")]
    return rows.iloc[0] if len(rows) else None


def _absent(
    condition: Condition, audit: str, rows: pd.DataFrame, metrics: Collection[str]
) -> Verdict:
    """An audit without such a row: because it did not finish, or because there is none."""
    statuses: tuple[Status, ...] = ("error", "skipped")
    for status in statuses:
        bad = rows[_equal(rows["status"], status)]
        if len(bad):
            why = f"{audit} did not finish: {bad['message'].iloc[0]}"
            return Verdict(condition, audit, status, f"{condition.title}: {why}")
    statistic = condition.statistic or "mean"
    if condition.metric in metrics:
        others = rows[_equal(rows["metric"], condition.metric)]["statistic"].dropna().unique()
        why = f"{audit} has no {condition.metric} ({statistic}). {suggestion(statistic, others)}"
    else:
        known = suggestion(condition.metric, metrics)
        why = f"the run does not measure metric = {condition.metric!r}. {known}"
    return Verdict(condition, audit, "error", f"{condition.title}: {why}")


def _seen(condition: Condition, row: pd.Series[Any]) -> Verdict:
    """What the record says, not judged yet."""

    def number(column: str) -> float | None:
        return None if row.isna()[column] else float(row[column])

    return Verdict(
        condition,
        audit=str(row["audit"]),
        status="error",
        message="",
        value=number("value"),
        ci_low=number("ci_low"),
        ci_high=number("ci_high"),
        n=None if row.isna()["n"] else int(row["n"]),
        unit="" if row.isna()["unit"] else str(row["unit"]),
        low=condition.min,
        high=condition.max,
        row=int(str(row.name)),
    )


def _empty(condition: Condition, row: pd.Series[Any]) -> Verdict:
    why = "its value is empty" if row.isna()["message"] else str(row["message"])
    status: Status = "skipped" if row["status"] == "skipped" else "error"
    found = _seen(condition, row)
    return replace(found, status=status, message=f"{condition.title}: {found.audit}: {why}")


def _within(condition: Condition, row: pd.Series[Any]) -> Verdict:
    """The verdict on a row that is held against min and max."""
    found = _seen(condition, row)
    value = float(row["value"])
    low, high = value, value
    if condition.decide == "interval" and found.ci_low is not None and found.ci_high is not None:
        low, high = min(found.ci_low, value), max(found.ci_high, value)
    seen = Interval(value, low, high, found.n)
    decision = decide(seen, _or(condition.min, -math.inf), _or(condition.max, math.inf))
    status: Status = condition.severity if decision.status == "fail" else decision.status
    interval = f" [{low:.4g}, {high:.4g}]" if low < high else ""
    unit = f" {found.unit}" if found.unit else ""
    n = "" if found.n is None else f", n = {found.n}"
    bounds = {"min": condition.min, "max": condition.max}
    ends = [f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None]
    says = {"pass": "holds", "fail": "violates", "inconclusive": "does not decide"}
    message = (
        f"{condition.title}: {found.audit} has {value:.4g}{interval}{unit}{n}, "
        f"which {says[decision.status]} {' and '.join(ends)}"
    )
    if decision.status == "inconclusive":
        message += f"; {_more(decision.needed, found.n)}"
    return replace(found, status=status, needed=decision.needed, message=message + ".")


def _more(needed: int | None, n: int | None) -> str:
    """What would decide: intervals are over queries, whatever n counts."""
    if needed is None or not n:
        return "no larger n is known to"
    return f"n = {needed} would, with {needed / n:.1f} times the queries"


def _beside(
    condition: Condition, row: pd.Series[Any], records: pd.DataFrame, base: pd.DataFrame | None
) -> Verdict:
    """The verdict on a row that is held against a baseline's."""
    found, path = _seen(condition, row), condition.baseline
    if base is None:
        return replace(found, message=f"{condition.title}: the baseline {path} was not read.")
    for reason in obstacles(base[base["query"].isna()], row.to_frame().T, condition.allow):
        return replace(found, message=f"{condition.title}: BASE is {path}. {reason}")
    compared = judge_change(base, records, row, condition.tolerance)
    if compared.base is None:
        message = f"{condition.title}: {path} has no such row: make it again from a good run."
        return replace(found, message=message)
    slack = condition.tolerance * abs(compared.base)
    low = None if row["better"] == "lower" else compared.base - slack
    high = None if row["better"] == "higher" else compared.base + slack
    status = compared.status
    if condition.decide == "value":
        value = float(row["value"])
        status = "pass" if _or(low, -math.inf) <= value <= _or(high, math.inf) else "fail"
    status = condition.severity if status == "fail" else status
    message = f"{condition.title}: {compared.message}"
    needed = compared.needed if status == "inconclusive" else None
    return replace(found, status=status, message=message, low=low, high=high, needed=needed)


def _or(bound: float | None, otherwise: float) -> float:
    return otherwise if bound is None else bound
