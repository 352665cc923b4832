"""`grid`: queries, and beside each the draws that differ most; a block of columns per audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from ..._score.gallery import Gallery
from ...errors import UsageError
from ..chosen import short_name
from ..examples import DRAWS, most_different, queries_of
from .paper import PAGE, named
from .picture import picture

if TYPE_CHECKING:
    import pandas as pd

GAP = 0.35
"""Between a query and its draws, and between blocks, in pictures."""
SPACE = 0.06
"""Between two draws."""
LARGEST = 0.6
"""Inches of a picture."""


def grid(
    records: pd.DataFrame, galleries: Mapping[str, Gallery], audits: Sequence[str], queries: int
) -> Figure:
    """Each block is called by its extractor, and by its sampler where an extractor has several."""
    held = [a for a in audits if a in galleries and galleries[a].queries.ndim == 4]
    if not held:
        raise UsageError(
            "grid: these audits have no pictures of images; `figure RUN invariance` needs none."
        )
    width = 1 + GAP + DRAWS * (1 + SPACE)  # of a block, in pictures
    across = len(held) * width + (len(held) - 1) * GAP
    size = min(LARGEST, PAGE / across)
    rows = {a: queries_of(galleries[a], queries) for a in held}
    high = max(map(len, rows.values())) * (1 + SPACE)
    figure = Figure(figsize=(size * across, size * high))
    for block, audit in enumerate(held):
        gallery, left = galleries[audit], block * (width + GAP)
        for line, i in enumerate(rows[audit]):
            top = line * (1 + SPACE)
            places = [0.0, *(1 + GAP + n * (1 + SPACE) for n in range(DRAWS))]
            images = [
                gallery.queries[i],
                *(gallery.draws[i, j] for j in most_different(gallery, i)),
            ]
            for place, image in zip(places, images, strict=False):
                where = (left + place) / across, 1 - (top + 1) / high, 1 / across, 1 / high
                picture(figure.add_axes(where), image)
        figure.text(
            left / across,
            1.0 + 0.12 / (size * high),
            named(short_name(records, audit, held)),
            va="bottom",
        )
    return figure
