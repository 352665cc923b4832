"""Figures of a run for papers and slides: fonts embedded, no title, safe for the colour-blind."""

from __future__ import annotations

from pathlib import Path

from .paper import Format, Kind


def write_figure(
    run: Path, kind: Kind, to: Path, form: Format, audits: tuple[str, ...] = (), queries: int = 6
) -> Path:
    """Write one figure of a finished run, from its directory alone; returns its path.

    grid: queries with their draws. pareto: fidelity against consistency. invariance: what is
    pinned and what is ignored. blind-spot: guided by x measured by. The same directory gives the
    same bytes.

    audits: which of the run's; without any, all that the figure can hold, or the one of each
        extractor that speaks for it on the page.
    queries: rows of a grid.

    Raises:
        UsageError: the run has nothing for such a figure, or no such audit.
        DataError: the directory is no finished run.
        DiskError: the file cannot be written.
    """
    from .draw import write  # matplotlib and pandas from here on

    return write(run, kind, to, form, audits, queries)
