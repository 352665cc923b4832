"""Conditions on measurements, judged.

By default the 95 % interval is judged, not the value: a condition passes where the whole interval
holds, fails where none of it does, and is inconclusive between, with the n that would decide it.
``decide = "value"`` looks at the value alone. Against a baseline it is the change that is judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from .._suite.condition import FILTERS, LOST, Condition, Number
from .._suite.minus import Minus
from ..errors import suggestion
from .compare import by_audit, judge_change, lost_draws, obstacles
from .interval import Interval, Status, decide
from .row_of import absent, equal, row_of

if TYPE_CHECKING:
    import pandas as pd

Whole = Annotated[int, Field(ge=0, lt=2**63)]

NO_DRAW_IS_LOST = Condition(LOST, max=0, decide="value", name="no draw is lost")
"""Judged in audits that lost one, unless the suite says how many may be."""


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
    value: Number | None = None
    ci_low: Number | None = None
    ci_high: Number | None = None
    n: Whole | None = None
    unit: str = ""
    low: Number | None = None
    high: Number | None = None
    needed: Whole | None = None
    row: Whole | None = None


def judge(
    records: pd.DataFrame,
    conditions: Sequence[Condition],
    baselines: Mapping[str, pd.DataFrame] | None = None,
) -> list[Verdict]:
    """Every condition on every audit that it matches; one that matches none is an error.

    A draw that was lost fails its audit, unless a condition on `draws_lost` says otherwise.

    records: the frame of `fiber_audit.records`. baselines: path as written in the condition ->
    its records, as `read_baselines` returns them.
    """
    books = {path: by_audit(base) for path, base in (baselines or {}).items()}
    mine = by_audit(records) if books else {}
    found = [verdict for c in conditions for verdict in _verdicts(records, c, mine, books)]
    if any(condition.metric == LOST for condition in conditions):
        return found
    lost = records[equal(records["metric"], LOST) & (records["value"] > 0).fillna(False)]
    return [*found, *(_verdicts(lost, NO_DRAW_IS_LOST, {}, {}) if len(lost) else ())]


def _verdicts(
    records: pd.DataFrame,
    condition: Condition,
    mine: Mapping[str, pd.DataFrame],
    books: Mapping[str, Mapping[str, pd.DataFrame]],
) -> Iterator[Verdict]:
    """The verdicts of one condition, one for each audit that its filters match.

    mine: audit -> its rows, and books: baseline -> the same of it; empty where none is named.
    """
    pooled = records[records["query"].isna() & records["audit"].notna()]
    for column in FILTERS:
        wanted = getattr(condition, column)
        if wanted is not None:
            known = suggestion(wanted, pooled[column].dropna().unique())
            pooled = pooled[equal(pooled[column], wanted)]
            if pooled.empty:
                message = f"{condition.title}: no audit has {column} = {wanted!r}. {known}"
                yield Verdict(condition, "", "error", message)
                return
    if pooled.empty:
        yield Verdict(condition, "", "error", f"{condition.title}: the run holds no audit.")
    unknown = _unknown(condition, pooled, records)
    if unknown:
        yield Verdict(condition, "", "error", f"{condition.title}: {unknown}")
        return
    for audit, rows in pooled.groupby("audit", sort=False):
        if condition.minus is not None and _other(condition.minus, rows) == str(audit):
            continue
        row = row_of(rows, str(audit), condition)
        if row is None:
            status, why = absent(records, rows, str(audit), condition)
            yield Verdict(condition, str(audit), status, f"{condition.title}: {why}")
        elif row.isna()["value"]:
            yield _empty(condition, row)
        elif condition.baseline is None:
            yield _within(condition, row)
        else:
            yield _beside(condition, row, mine, books.get(condition.baseline))


def _other(minus: Minus, rows: pd.DataFrame) -> str:
    """The audit that is taken away from the one of these rows; its own name where they are one."""
    named = rows[[*FILTERS]].dropna()
    if named.empty:
        return ""
    extractor, prior, sampler = (str(name) for name in named.iloc[0])
    return "/".join(minus.other(extractor, prior, sampler))


def _unknown(condition: Condition, pooled: pd.DataFrame, records: pd.DataFrame) -> str:
    """Why there is nothing to take away, or ""."""
    if condition.minus is None or pooled.empty:
        return ""
    for kind, name in condition.minus.names().items():
        known = records[kind].dropna().unique()
        if name not in known:
            return f"no audit has {kind} = {name!r}. {suggestion(name, known)}"
    groups = pooled.groupby("audit", sort=False)
    if all(_other(condition.minus, rows) == str(audit) for audit, rows in groups):
        return "every audit that it matches is the one to take away."
    return ""


def _seen(condition: Condition, row: pd.Series[Any]) -> Verdict:
    """What the record says, not judged yet."""
    missing = row.isna()

    def number(column: str) -> float | None:
        return None if missing[column] else float(row[column])

    return Verdict(
        condition,
        audit=str(row["audit"]),
        status="error",
        message="",
        value=number("value"),
        ci_low=number("ci_low"),
        ci_high=number("ci_high"),
        n=None if missing["n"] else int(row["n"]),
        unit="" if missing["unit"] else str(row["unit"]),
        low=condition.min,
        high=condition.max,
        row=int(str(row.name)),
    )


def _empty(condition: Condition, row: pd.Series[Any]) -> Verdict:
    missing = row.isna()
    why = "its value is empty" if missing["message"] else str(row["message"])
    skipped = not missing["status"] and row["status"] == "skipped"
    found = _seen(condition, row)
    message = f"{condition.title}: {found.audit}: {why}"
    return replace(found, status="skipped" if skipped else "error", message=message)


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
    condition: Condition,
    row: pd.Series[Any],
    mine: Mapping[str, pd.DataFrame],
    book: Mapping[str, pd.DataFrame] | None,
) -> Verdict:
    """The verdict on a row that is held against a baseline's."""
    found, path = _seen(condition, row), condition.baseline
    if book is None:
        return replace(found, message=f"{condition.title}: the baseline {path} was not read.")
    new = mine[found.audit]
    base = book.get(found.audit, new[:0])
    pooled, lost = base[base["query"].isna()], lost_draws(base, new)
    for reason in obstacles(pooled, new.loc[[found.row]], condition.allow, lost):
        return replace(found, message=f"{condition.title}: BASE is {path}. {reason}")
    compared = judge_change(base, new, row, condition.tolerance)
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
