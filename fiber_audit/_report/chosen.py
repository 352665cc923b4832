"""Which audit speaks for its extractor: the nearest draws, of those that pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .._judge.interval import WORST_FIRST, worst
from ..records import headlines
from .answer import Answer
from .numbers import cell, text

if TYPE_CHECKING:
    import pandas as pd


def chosen_audits(records: pd.DataFrame, answer: Answer) -> dict[str, tuple[str, str]]:
    """Extractor -> the audit that speaks for it and why, in the order of the records."""
    losses, statuses = losses_of(records), _statuses(answer)
    return {
        extractor: chosen(names, losses, statuses)
        for extractor, names in audits_of(records).items()
    }


def audits_of(records: pd.DataFrame) -> dict[str, list[str]]:
    """Extractor -> its audits."""
    found: dict[str, list[str]] = {}
    pairs = records[["extractor", "audit"]].dropna().drop_duplicates()
    for extractor, audit in pairs.itertuples(index=False):
        found.setdefault(str(extractor), []).append(str(audit))
    return found


def losses_of(records: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """Audit -> (metric, value) of its first fidelity metric of which less is better."""
    found: dict[str, tuple[str, float]] = {}
    for _, row in headlines(records).iterrows():
        axis, better = text(row, "axis"), text(row, "better")
        if (axis, better) == ("fidelity", "lower") and cell(row, "value") is not None:
            found.setdefault(str(row["audit"]), (str(row["metric"]), float(row["value"])))
    return found


def chosen(
    audits: Sequence[str],
    losses: Mapping[str, tuple[str, float]],
    statuses: Mapping[str, str],
) -> tuple[str, str]:
    """The audit of an extractor that speaks for it, and why it was chosen, "" where it is alone.

    >>> losses = {"a": ("loss", 0.1), "b": ("loss", 0.05)}
    >>> chosen(["a", "b"], losses, {"a": "pass", "b": "fail"})
    ('a', 'the only one of 2 audits that passes')
    >>> chosen(["a", "b"], losses, {"a": "pass", "b": "pass"})
    ('b', 'of 2 audits that pass the one with the lowest loss')
    """
    if len(audits) == 1:
        return audits[0], ""
    passing = [a for a in audits if statuses.get(a, "pass") == "pass"]
    among = passing or audits
    best = min(among, key=lambda a: losses[a][1] if a in losses else float("inf"))
    measure = losses[best][0] if best in losses else "place in the suite"
    if len(passing) == 1:
        return best, f"the only one of {len(audits)} audits that passes"
    word = "that pass" if passing else "(none passes)"
    return best, f"of {len(among)} audits {word} the one with the lowest {measure}"


def short_name(records: pd.DataFrame, audit: str, among: Sequence[str]) -> str:
    """The extractor's name where one of these audits is of it, else the audit's whole name."""
    own = next(e for e, audits in audits_of(records).items() if audit in audits)
    return own if len({*audits_of(records)[own]} & {*among}) == 1 else audit


def _statuses(answer: Answer) -> dict[str, str]:
    """Audit -> how it was judged, the worst; those without a condition are left out."""
    found: dict[str, list[str]] = {}
    for j in answer.judged:
        found.setdefault(j.audit, []).append(j.status)
    for u in answer.unmeasured:
        if u.status == "error":
            found.setdefault(u.audit, []).append("error")
    return {audit: worst_of(statuses) for audit, statuses in found.items()}


def worst_of(found: Sequence[str]) -> str:
    """The worst status, "none" where there is none."""
    return worst([s for s in WORST_FIRST if s in found]) if found else "none"
