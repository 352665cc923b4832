"""`pareto`: fidelity against consistency, a point per audit with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from ...errors import UsageError
from ..plots import MetricPair, bars, label, pairs, spans
from .paper import COLOURS, COLUMN, MARKERS, named

if TYPE_CHECKING:
    import pandas as pd

AUDIT = "audit "
"""Before each label: matplotlib takes one that begins with an underscore for no label."""


def pareto(records: pd.DataFrame, audits: Sequence[str]) -> Figure:
    """A panel per consistency metric, at most three; extractors by colour, samplers by marker."""
    found = pairs(records[records["audit"].isin(audits)])
    if not found:
        raise UsageError(
            "pareto: the run has no audit with a fidelity and a consistency metric; add one of "
            "each to its suite."
        )
    kinds = {kind: _numbered(records, audits, kind) for kind in ("extractor", "sampler")}
    figure = Figure(
        figsize=(0.75 * COLUMN * max(len(found), 1), 0.72 * COLUMN), layout="constrained"
    )
    panels: Any = figure.subplots(1, len(found), squeeze=False)[0]
    for panel, pair in zip(panels, found, strict=True):
        _panel(panel, pair, records, kinds)
    points = {label: handle for panel in panels for handle, label in _legend(panel)}
    names = [named(label.removeprefix(AUDIT)) for label in points]
    figure.legend(points.values(), names, loc="outside lower left", ncols=min(len(names), 3))
    return figure


def _panel(
    panel: Any, pair: MetricPair, records: pd.DataFrame, kinds: dict[str, dict[str, int]]
) -> None:
    for point in pair.points:
        row = records[records["audit"] == point.audit].iloc[0]
        colour = COLOURS[kinds["extractor"][str(row["extractor"])] % len(COLOURS)]
        marker = MARKERS[kinds["sampler"][str(row["sampler"])] % len(MARKERS)]
        panel.errorbar(
            point.x[0], point.y[0], xerr=bars(point.x), yerr=bars(point.y), marker=marker,
            color=colour, markersize=4.5, linewidth=0.8, linestyle="none",
            label=AUDIT + point.audit,
        )  # fmt: skip
    if pair.floor is not None:
        panel.axvline(pair.floor, color="0.4", linewidth=0.7, linestyle=":")
    panel.set_xlabel(label(pair.x))
    panel.set_ylabel(label(pair.y))
    for axis, values in (
        ("x", [p.x[0] for p in pair.points]),
        ("y", [p.y[0] for p in pair.points]),
    ):
        if spans(values):
            getattr(panel, f"set_{axis}scale")("log")
            which = getattr(panel, f"{axis}axis")
            which.set_major_formatter("{x:g}")
            which.set_minor_formatter("")
        elif min(values) >= 0:
            low = -0.03 * getattr(panel, f"get_{axis}lim")()[1]
            getattr(panel, f"set_{axis}lim")(**{"left" if axis == "x" else "bottom": low})


def _legend(panel: Any) -> list[tuple[Any, str]]:
    return list(zip(*panel.get_legend_handles_labels(), strict=True))


def _numbered(records: pd.DataFrame, audits: Sequence[str], kind: str) -> dict[str, int]:
    names = records[records["audit"].isin(audits)][kind].dropna().astype(str).unique()
    return {str(name): i for i, name in enumerate(names)}
