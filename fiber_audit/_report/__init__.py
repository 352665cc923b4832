"""A run directory -> one page that needs no network and can be read without its script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._judge.compare import Comparison


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


def write_comparison(base: Path, new: Path, found: Sequence[Comparison], to: Path) -> Path:
    """Write a page of two runs that were compared; returns its path.

    base, new: run directories, or files of records, which have no pictures. found: what
    `fiber_audit._judge.compare.compare` says of them.

    Raises:
        DataError: a gallery of one of them is damaged.
        DiskError: the page cannot be written.
    """
    from .comparison import write_page

    return write_page(base, new, found, to)
