"""How figures for papers look: small sans serif, thin lines, embedded fonts, Okabe-Ito colours."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from ..plain import plain

Kind = Literal["grid", "pareto", "invariance", "blind-spot"]
Format = Literal["svg", "png", "pdf"]
COLUMN, PAGE = 3.3, 6.8
"""Widths in inches: of one column of a paper, and of its page."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
METADATA: dict[str, dict[str, Any]] = {
    "svg": dict.fromkeys(("Creator", "Date", "Format", "Type")),
    "pdf": dict.fromkeys(("Creator", "Producer", "CreationDate")),
    "png": {"Software": None},
}
"""Nothing that changes from day to day."""

LONGEST = 32
"""Characters of a name."""


@contextmanager
def paper() -> Iterator[None]:
    """Matplotlib's settings for a figure that is written within."""
    import matplotlib as mpl

    settings: dict[Any, Any] = {
        "font.size": 8,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "legend.frameon": False,
        "pdf.fonttype": 42,  # whole outlines, which editors and printers take
        "svg.fonttype": "path",
        "svg.hashsalt": "fiber-audit",
        "savefig.dpi": 300,
        "savefig.bbox": "tight",
        "savefig.pad_inches": 0.02,
        "text.parse_math": False,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # scripts that the font lacks
        yield


def named(text: str) -> str:
    """A name as a figure can hold it: visible escapes, and not too long."""
    shown = plain(text)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
