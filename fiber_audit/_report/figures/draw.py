"""Which figure of which audits, and into which file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError, suggestion
from ...files import write_atomically
from ...records import printable
from ..answer import answer_of
from ..chosen import chosen_audits
from ..sources import Sources, read_sources
from .blind_spot import blind_spot
from .grid import grid
from .invariance import invariance
from .paper import METADATA, Format, Kind, paper
from .pareto import pareto

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write(
    run: Path, kind: Kind, to: Path, form: Format, audits: Sequence[str], queries: int
) -> Path:
    """See `fiber_audit._report.figures.write_figure`."""
    sources = read_sources(run)
    known = [str(a) for a in sources.records["audit"].dropna().unique()]
    wanted = [printable(audit) for audit in audits]
    for audit in wanted:
        if audit not in known:
            raise UsageError(f"--audit {audit}: no such audit. {suggestion(audit, known)}")
    buffer = io.BytesIO()
    with paper():
        figure = _figure(sources, kind, wanted, known, queries)
        figure.savefig(buffer, format=form, metadata=METADATA[form])
    return write_atomically(to, buffer.getvalue())


def _figure(
    sources: Sources, kind: Kind, audits: Sequence[str], known: Sequence[str], queries: int
) -> Figure:
    if kind == "pareto":
        return pareto(sources.records, audits or known)
    if kind == "blind-spot":
        return blind_spot(sources.tables)
    answer = answer_of(sources.records, sources.verdicts)
    each = audits or [audit for audit, _ in chosen_audits(sources.records, answer).values()]
    if kind == "grid":
        return grid(sources.records, sources.galleries, each, queries)
    return invariance(sources, each)
