"""The records of a run -> what every sampler cost and reached."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._suite.condition import LOST
from ..errors import DataError
from ..records import headlines
from .advice import Choice
from .interval import Interval

if TYPE_CHECKING:
    import pandas as pd

FIRST = "fiber_loss_relative"
"""The measure of fidelity that is preferred: of the others, the unit depends on the extractor."""


def loss_of(records: pd.DataFrame) -> str:
    """The metric that says how far draws are from the fiber: the relative loss, or the first other.

    Raises:
        DataError: the run measures none.
    """
    rows = headlines(records)
    fit = rows[rows["axis"].eq("fidelity") & rows["better"].eq("lower")]
    names = [str(name) for name in fit["metric"].dropna().unique()]
    if not names:
        raise DataError(
            f"the run does not measure how far draws are from the fiber; add {FIRST!r} to the "
            f"suite's metrics and run it again (finished draws are kept)."
        )
    return FIRST if FIRST in names else names[0]


def choices_of(
    records: pd.DataFrame, loss: str, training: Mapping[str, float]
) -> tuple[dict[str, Choice], dict[str, str]]:
    """Audit -> its sampler as a choice; and of those without numbers, audit -> why.

    loss: the metric of `loss_of`. training: audit -> seconds, for those that are asked for.
    """
    rows, found, without = headlines(records), dict[str, Choice](), dict[str, str]()
    for audit, seconds in training.items():
        own = rows[rows["audit"].eq(audit).fillna(False)]
        of = {str(row["metric"]): row for _, row in own.iterrows()}
        row = of.get(loss)
        if row is None or row.isna()[["value", "seconds"]].any():
            without[audit] = _why(records, audit, loss)
            continue
        draws = of.get(LOST)
        lost = 0.0 if draws is None or draws.isna()["value"] else float(draws["value"] / draws["n"])
        kept = own[own["axis"].eq("consistency").fillna(False) & own["value"].notna()]
        found[audit] = Choice(
            str(row["sampler"]),
            _interval(row),
            seconds,
            float(row["seconds"]) / (1 - lost),
            {str(m): float(v) for m, v in zip(kept["metric"], kept["value"], strict=True)},
        )
    return found, without


def _interval(row: pd.Series[Any]) -> Interval:
    missing, value = row.isna(), float(row["value"])
    n = None if missing["n"] else int(row["n"])
    if missing["ci_low"] or missing["ci_high"]:
        return Interval(value, -math.inf, math.inf, n)
    return Interval(value, float(row["ci_low"]), float(row["ci_high"]), n)


def _why(records: pd.DataFrame, audit: str, loss: str) -> str:
    """What the run says of an audit without a number."""
    own = records[records["audit"].eq(audit).fillna(False)]
    if own.empty:
        return "the run does not hold it"
    about = own[own["metric"].eq(loss).fillna(False) & own["message"].notna()]
    return str(about["message"].iloc[0]).rstrip(".") if len(about) else f"it has no {loss}"
