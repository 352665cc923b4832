"""The first screen: a card per extractor says in words, bars and pictures what it ignores."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._score.gallery import Gallery
from .anchors import anchor, query_anchor
from .answer import TOLD, Answer
from .bars import AttributeBar, bars_of
from .chosen import audits_of, chosen_audits, worst_of
from .examples import DRAWS, most_different, queries_of
from .images import LARGEST
from .pictures import ShownDraw, shown, shown_draw
from .samplers import sampler_of
from .sources import Sources
from .strips import strip
from .told import failed_of, told_of

if TYPE_CHECKING:
    import pandas as pd

PICTURED = 12
"""Cards with pictures; of further extractors the first screen has the words."""
SMALL = 64
"""Pictures up to this side are shown as they are, larger ones larger."""


@dataclass(frozen=True)
class Example:
    """A query and some draws: pictures, or for tables one drawing of all of them.

    left_out: how many draws would have had a place, but are suspicious or lost.
    """

    id: str
    anchor: str
    query: ShownDraw
    draws: tuple[ShownDraw, ...]
    strip: str
    left_out: int


@dataclass(frozen=True)
class Card:
    """One extractor. anchor leads to the draws of the audit that is shown, "" where none are kept.

    sentences: (words, aside) pairs, see `split`. drawn: which audit, and why this one. status: a
    key of `answer.WORDS`. judged: how its conditions ended.
    """

    extractor: str
    audit: str
    anchor: str
    sentences: tuple[tuple[tuple[str, str], ...], ...]
    drawn: str
    status: str
    judged: str
    bars: tuple[AttributeBar, ...]
    examples: tuple[Example, ...]
    large: bool


def cards_of(sources: Sources, answer: Answer, shown_queries: Mapping[str, int]) -> list[Card]:
    """A card for each extractor, in the order of the records.

    shown_queries: audit -> how many of its queries have an entry on the page.
    """
    found: list[Card] = []
    for extractor, (audit, why) in chosen_audits(sources.records, answer).items():
        gallery = sources.galleries.get(audit) if len(found) < PICTURED else None
        found.append(_card(sources, answer, extractor, audit, why, gallery, shown_queries))
    return found


def split(sentence: str) -> tuple[tuple[str, str], ...]:
    """A sentence as (words, aside in brackets) pairs: the page sets asides in a softer tone.

    >>> split("a ignores b (9 %) and pins c (1 %).")
    (('a ignores b ', '(9 %)'), (' and pins c ', '(1 %)'), ('.', ''))
    """
    parts = re.split(r"(\([^()]*\))", sentence)
    pairs = zip(parts[::2], [*parts[1::2], ""], strict=True)
    return tuple((words, aside) for words, aside in pairs if words or aside)


def _card(
    sources: Sources,
    answer: Answer,
    extractor: str,
    audit: str,
    why: str,
    gallery: Gallery | None,
    shown_queries: Mapping[str, int],
) -> Card:
    audits = audits_of(sources.records)[extractor]
    statuses = [j.status for j in answer.judged if j.audit in audits]
    failed = failed_of(extractor, sources.records, answer)
    told = told_of(extractor, audit, sources.records, answer, sources.tables)
    first = queries_of(gallery) if gallery is not None else []
    kept = shown_queries.get(audit, 0)
    return Card(
        extractor=extractor,
        audit=audit,
        anchor=anchor(audit) if audit in shown_queries else "",
        sentences=tuple(map(split, told)),
        drawn=_drawn(sources.records, audit, why),
        status=worst_of([*statuses, *("error" for _ in failed)]),
        judged=_judged(statuses, len(failed)),
        bars=bars_of(sources.tables, audit),
        examples=tuple(_example(gallery, audit, i, kept) for i in first if gallery is not None),
        large=gallery is not None and _is_large(gallery),
    )


def _example(gallery: Gallery, audit: str, i: int, kept: int) -> Example:
    name = gallery.query_ids[i]
    draws = most_different(gallery, i)
    images = gallery.queries.ndim == 4
    side = LARGEST if _is_large(gallery) else SMALL
    return Example(
        id=name,
        anchor=query_anchor(audit, i) if i < kept else "",
        query=shown(gallery.queries[i], side, alt=f"query {name}"),
        draws=tuple(shown_draw(gallery, i, j, side) for j in draws) if images else (),
        strip="" if images else strip(gallery, i, draws),
        left_out=min(DRAWS, gallery.draws.shape[1]) - len(draws),
    )


def _is_large(gallery: Gallery) -> bool:
    return max(gallery.queries.shape[2:], default=0) > SMALL


def _drawn(records: pd.DataFrame, audit: str, why: str) -> str:
    prior, sampler = sampler_of(records, audit)
    return f"Drawn by {sampler} from {prior}{f': {why}' if why else ''}."


def _judged(statuses: Sequence[str], failed: int) -> str:
    """How the conditions of an extractor ended, in words."""
    if not statuses and not failed:
        return "no conditions"
    told = [f"{statuses.count(s)} {word}" for s, word in TOLD.items() if s in statuses]
    told += [f"{failed} not measured"] if failed else []
    return ", ".join(told)
