"""Numbers, their intervals, bounds and missing cells as a reader wants them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MISSING = "–"
MINUS = "\N{MINUS SIGN}"


def number(value: float | None) -> str:
    """Three significant digits, a dash for what is missing or not finite.

    >>> number(0.012345), number(1234.5), number(-2.0), number(None)
    ('0.0123', '1234', '−2', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    digits = f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    return digits.replace("-", MINUS)


def short(value: float) -> str:
    """Two significant digits, at most six characters: what stands below a small picture.

    >>> short(0.012345), short(6.4812e-5), short(0.000688)
    ('0.012', '6e−5', '7e−4')
    """
    text = f"{value:.2g}" if value >= 1e-3 or value == 0 else f"{value:.0e}".replace("e-0", "e-")
    return text.replace("-", MINUS)


def bound(low: float | None, high: float | None) -> str:
    """What is asked of a number, with all the digits that people write; "" where nothing is.

    >>> bound(None, 0.08), bound(-0.5, None), bound(0, 1), bound(None, None)
    ('≤ 0.08', '≥ −0.5', '0 to 1', '')
    """
    known = [f"{end:g}".replace("-", MINUS) for end in (low, high) if end is not None]
    if len(known) == 2:
        return " to ".join(known)
    sign = "≤" if low is None else "≥"
    return f"{sign} {known[0]}" if known else ""


def cell(row: pd.Series[Any], column: str) -> Any:
    """One cell of a record, None where it is empty."""
    import pandas as pd

    found = row[column]
    return None if pd.isna(found) else found


def text(row: pd.Series[Any], column: str) -> str:
    """One cell of a record as text, empty where it is empty."""
    found = cell(row, column)
    return "" if found is None else str(found)


@dataclass(frozen=True)
class Value:
    """One measured number: value and 95 % interval, what was asked of it and how it was judged.

    seen_by: the extractor whose view it is, where the record says so. bound: see `bound`.
    """

    text: str
    interval: str
    seen_by: str
    condition: str
    bound: str
    status: str
    message: str


def value_of(row: pd.Series[Any], asked: str = "") -> Value:
    """A record as a Value; asked is the bound of its condition."""
    value, low, high = (cell(row, c) for c in ("value", "ci_low", "ci_high"))
    known = low is not None and high is not None
    return Value(
        text=number(value),
        interval=f"{number(low)} to {number(high)}" if known else "",
        seen_by=text(row, "seen_by"),
        condition=text(row, "condition"),
        bound=asked,
        status=text(row, "status"),
        message=text(row, "message"),
    )
