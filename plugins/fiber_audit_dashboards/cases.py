"""What a CI shows: one case per condition and audit, and one for each audit that it finished."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from fiber_audit import Condition, DataError, FiberAuditError
from fiber_audit.records import printable, text_beside

if TYPE_CHECKING:
    import pandas as pd

Status = Literal["error", "fail", "warn", "inconclusive", "skipped", "pass"]
WORST_FIRST: tuple[Status, ...] = get_args(Status)
NOWHERE = "(no audit)"
"""The audit of a condition that matched none."""
MEASURED = "every metric was measured"
NUMBERS = ("value", "ci_low", "ci_high", "n", "low", "high", "needed")


@dataclass(frozen=True)
class Case:
    """One line of a CI's test list: its status, and why. Its texts are printable."""

    audit: str
    name: str
    status: Status
    message: str
    numbers: Mapping[str, float] = field(default_factory=dict)


def cases(records: pd.DataFrame, run: Path) -> list[Case]:
    """Cases audit by audit, in the order of the records; names are stable between runs.

    Where an audit has two cases of one name, the second's ends in ``(2)``.

    Raises:
        DataError: the run's verdicts.json is damaged.
    """
    judged = verdicts(run)
    audits = [printable(str(audit)) for audit in records["audit"].dropna().unique()]
    found = []
    for audit in [*audits, NOWHERE]:
        if audit != NOWHERE:
            found.append(_finished(records, audit))
        found += [case for case in judged if case.audit == audit]
    return [*_numbered(found)]


def verdicts(run: Path) -> list[Case]:
    """What the conditions say of a run directory; nothing where its suite has none.

    Raises:
        DataError: its verdicts.json is damaged.
    """
    path = run / "verdicts.json"
    text = text_beside(path, "a verdicts file")
    if text is None:
        return []
    try:
        return [_case(entry) for entry in json.loads(text)]
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
        FiberAuditError,
    ) as error:
        raise DataError(
            f"{path}: not a verdicts file ({type(error).__name__}); run the suite again."
        ) from error


def worst(statuses: Iterable[Status]) -> Status:
    """The status that a reader should see first.

    >>> worst(["pass", "inconclusive", "fail"])
    'fail'
    """
    return min(statuses, key=WORST_FIRST.index)


def _case(entry: dict[str, Any]) -> Case:
    """One entry of verdicts.json."""
    title = printable(Condition(**entry["condition"]).title)
    message = printable(str(entry["message"])).removeprefix(f"{title}: ")
    numbers = {name: float(entry[name]) for name in NUMBERS if entry.get(name) is not None}
    status = WORST_FIRST[WORST_FIRST.index(entry["status"])]
    return Case(printable(entry["audit"]) or NOWHERE, title, status, message, numbers)


def _finished(records: pd.DataFrame, audit: str) -> Case:
    """The case that an audit was drawn and measured: every metric that was not is named.

    A row without a sampler only tells of a condition that matched nothing.
    """
    rows = records[(records["audit"] == audit) & records["sampler"].notna()]
    broken = rows[rows["status"].isin(["error", "skipped"]) & rows["statistic"].isna()]
    if broken.empty:
        return Case(audit, MEASURED, "pass", "")
    said = dict.fromkeys(printable(str(message)) for message in broken["message"].dropna())
    status: Status = "error" if (broken["status"] == "error").any() else "skipped"
    return Case(audit, MEASURED, status, "; ".join(said))


def _numbered(found: list[Case]) -> Iterator[Case]:
    seen = Counter[tuple[str, str]]()
    for case in found:
        seen[case.audit, case.name] += 1
        count = seen[case.audit, case.name]
        yield case if count == 1 else replace(case, name=f"{case.name} ({count})")
