"""A run directory -> one page that needs no network and no script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def write_report(run: Path, tell: Callable[[str], None] = lambda line: None) -> Path:
    """Write report.html of a run directory, from what lies in it alone; returns its path.

    It reads records.csv, verdicts.json, suite.toml, environment.json, gallery/ and exhibits.json:
    no weights, no plugins, no network. The same directory gives the same bytes.

    tell: called with one sentence for each audit whose pictures the directory lacks; the page says
        the same.

    Raises:
        DataError: the directory is no finished run, or a file of it is damaged or foreign.
        DiskError: the page cannot be written.
    """
    from .page import write  # jinja2, pandas and pillow from here on

    return write(run, tell)
