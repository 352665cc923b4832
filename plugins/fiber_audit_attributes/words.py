"""The index in words: one sentence and one row of a table for each audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from fiber_audit.contracts import Table

if TYPE_CHECKING:
    import pandas as pd

Word = Literal["ignores", "pins", "keeps part of", "undecided on"]
IGNORED, PINNED, MIDDLE, WIDE = 0.8, 0.2, 0.5, 0.6
LISTED = 5
"""Attributes that are named for one verb; the table has all."""
MISSED = 0.1
"""Relative fiber loss above which draws say little of the fiber."""
Row = Mapping[str, Any]


def word_of(value: float, low: float | None, high: float | None) -> Word:
    """What an index and its interval say.

    >>> word_of(0.97, 0.94, 0.99), word_of(0.02, 0.01, 0.04), word_of(0.4, 0.3, 0.5)
    ('ignores', 'pins', 'keeps part of')
    >>> word_of(0.9, 0.3, 1.5)
    'undecided on'
    """
    low, high = (value if end is None else end for end in (low, high))
    if value >= IGNORED and low > MIDDLE:
        return "ignores"
    if value <= PINNED and high < MIDDLE:
        return "pins"
    return "keeps part of" if high - low <= WIDE else "undecided on"


def lesser(among: Row, from_query: Row | None) -> Row:
    """The lesser of two estimates of one share; both have to say that an attribute is ignored.

    Draws of one query may differ as much as unguided ones do, and still be drawn towards it: then
    its attribute is not ignored, though no single value of it is pinned. Draws that agree with each
    other and not with their query contradict: then the interval reaches to both.

    >>> row = {"value": 0.03, "ci_low": 0.02, "ci_high": 0.04}
    >>> told(lesser(row, row | {"value": 1.1, "ci_high": 1.2}))
    '3 % [2, 120]'
    """
    if from_query is None or among["value"] is None or from_query["value"] is None:
        return among
    less, more = sorted((among, from_query), key=lambda row: float(row["value"]))
    if less["value"] <= PINNED and more["value"] > MIDDLE:
        ends = [row[end] for row in (less, more) for end in ("value", "ci_low", "ci_high")]
        known = [end for end in ends if end is not None]
        return {**less, "ci_low": min(known), "ci_high": max(known)}
    return less


def told(row: Row) -> str:
    """An index with its interval, in per cent.

    >>> told({"value": 0.97, "ci_low": 0.94, "ci_high": 0.99})
    '97 % [94, 99]'
    """
    ends = [row["ci_low"], row["ci_high"]]
    interval = "" if None in ends else " [{:.0f}, {:.0f}]".format(*(100 * end for end in ends))
    return f"{100 * row['value']:.0f} %{interval}"


def sentence_of(extractor: str, found: Mapping[str, Row], missed: float | None = None) -> str:
    """What an extractor does with each attribute, the most telling ones first.

    missed: the relative fiber loss of the draws.

    >>> row = {"value": 0.97, "ci_low": 0.94, "ci_high": 0.99}
    >>> sentence_of("shape", {"colour": row, "digit": row | {"value": 0.02, "ci_high": 0.04}})
    'shape ignores colour (97 % [94, 99]) and pins digit (2 % [94, 4]).'
    """
    grouped: dict[Word, list[tuple[str, Row]]] = {}
    for name, row in sorted(found.items(), key=lambda each: -abs(each[1]["value"] - 0.5)):
        word = word_of(row["value"], row["ci_low"], row["ci_high"])
        grouped.setdefault(word, []).append((name, row))
    order: Sequence[Word] = ("ignores", "pins", "keeps part of", "undecided on")
    parts = [f"{_verb(word)} {_named(grouped[word])}" for word in order if word in grouped]
    text = f"{extractor} {_joined(parts)}."
    if missed is not None and missed > MISSED:
        text += (
            f" But its draws miss the fiber by {100 * missed:.0f} % of a random pair, so that what "
            f"varies among them may be no ignorance of {extractor}."
        )
    return text


def table_of(records: pd.DataFrame, attributes: Sequence[str]) -> Table | None:
    """Audits x attributes, of the pooled records of `invariance`; None where there are none."""
    pooled = records[records["query"].isna()].astype(object)
    pooled = pooled.where(pooled.notna(), None)
    names = [name for a in attributes for name in (a, f"{a} from query")]
    mine = pooled[(pooled["metric"] == "invariance") & pooled["statistic"].isin(names)]
    rows, shades, numbers, sentences = [], [], [], {}
    for audit, held in mine.groupby("audit", sort=False):
        found: dict[str, Row] = {
            str(row["statistic"]): {str(k): v for k, v in row.items()}
            for row in held.to_dict("records")
        }
        every = {
            name: lesser(found[name], found.get(f"{name} from query"))
            for name in attributes
            if name in found
        }
        known = {name: row for name, row in every.items() if row["value"] is not None}
        cells = tuple(_cell(every.get(name)) for name in attributes)
        rows.append((str(audit), cells))
        shades.append(tuple(_shade(known.get(name)) for name in attributes))
        numbers.append(tuple(_numbers(known.get(name)) for name in attributes))
        if known:
            extractor = str(held["extractor"].iloc[0])
            sentences[str(audit)] = sentence_of(extractor, known, _missed(pooled, str(audit)))
    if not rows:
        return None
    return Table(
        title="What each network ignores",
        caption=(
            "Share of each attribute's variation that is left along a fiber, the lesser of two "
            "estimates (among draws, and from draws to their query): 0 % is pinned by the network, "
            "100 % varies as in unguided draws."
        ),
        corner="audit",
        columns=tuple(attributes),
        rows=tuple(rows),
        shades=tuple(shades),
        links={audit: audit for audit, _ in rows},
        sentences=sentences,
        numbers=tuple(numbers),
    )


def _cell(row: Row | None) -> str:
    if row is None or row["value"] is None:
        return "" if row is None else "inconclusive"
    value, _, interval = told(row).partition(" [")
    return f"{value}\n{interval.rstrip(']').replace(', ', ' … ')}" if interval else value


def _shade(row: Row | None) -> float | None:
    return None if row is None else min(1.0, max(0.0, float(row["value"])))


def _numbers(row: Row | None) -> tuple[float, float | None, float | None] | None:
    return None if row is None else (row["value"], row["ci_low"], row["ci_high"])


def _missed(pooled: pd.DataFrame, audit: str) -> float | None:
    held = pooled[(pooled["audit"] == audit) & (pooled["metric"] == "fiber_loss_relative")]
    values = held[held["statistic"] == "mean"]["value"].dropna()
    return float(values.iloc[0]) if len(values) else None


def _verb(word: Word) -> str:
    return "is undecided on" if word == "undecided on" else word


def _named(group: Sequence[tuple[str, Row]]) -> str:
    """The attributes of one verb: the most telling ones, of these the most varied first.

    >>> row = {"value": 0.0, "ci_low": None, "ci_high": None}
    >>> _named([(name, row) for name in "abcdefgh"])
    'a (0 %), b (0 %), c (0 %), d (0 %), e (0 %) and 3 more'
    """
    kept = group if len(group) <= LISTED + 1 else group[:LISTED]
    words = [f"{n} ({told(r)})" for n, r in sorted(kept, key=lambda each: -each[1]["value"])]
    return _joined([*words, f"{len(group) - len(kept)} more"] if len(group) > len(kept) else words)


def _joined(parts: Sequence[str]) -> str:
    """Words in a row.

    >>> _joined(["a", "b", "c"]), _joined(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
