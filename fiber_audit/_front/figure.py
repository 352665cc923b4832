"""The draws of one audit as a matplotlib figure, for notebooks and papers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from .._report.figures.picture import picture
from ..errors import UsageError

if TYPE_CHECKING:
    from .._score.gallery import Gallery


class Shown(Figure):
    """A figure that a notebook shows by itself, whatever matplotlib's backend is."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def draws_of(gallery: Gallery, queries: int) -> Figure:
    """A row per query: the query, then its draws by rising fiber loss, each with its loss."""
    if gallery.queries.ndim != 4:
        raise UsageError("only images can be shown; the page has a table of these draws.")
    q, k = min(queries, len(gallery.query_ids)), gallery.fiber_loss.shape[1]
    figure = Shown(figsize=(1.1 * (k + 1), 1.25 * q), layout="constrained")
    axes: Any = figure.subplots(q, k + 1, squeeze=False)
    for i in range(q):
        _titled(axes[i][0], gallery.queries[i], "query" if i == 0 else "")
        for column, j in enumerate(np.argsort(gallery.fiber_loss[i]), start=1):
            loss, lost = gallery.fiber_loss[i, j], bool(gallery.lost[i, j])
            _titled(axes[i][column], gallery.draws[i, j], "lost" if lost else f"{loss:.2g}")
    figure.suptitle(gallery.audit, fontsize="small")
    return figure


def _titled(axes: Any, image: np.ndarray, title: str) -> None:
    picture(axes, image)
    axes.set_title(title, fontsize="x-small")
