"""`invariance`: attributes from pinned to ignored, a panel per audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from ...errors import UsageError
from ..bars import AttributeBar, bars_of
from ..chosen import short_name
from ..sources import Sources
from .paper import COLOURS, PAGE, named

LINE = 0.17
"""Inches of an attribute."""
WIDEST = 1.6
"""Where the axis ends at the latest; a longer interval leaves the panel."""
MOST = 4
"""Panels beside each other."""


def invariance(sources: Sources, audits: Sequence[str]) -> Figure:
    """Dots with 95 % intervals, in the order of the suite's attributes, so that panels align."""
    held = {a: bars_of(sources.tables, a) for a in audits}
    held = {a: found for a, found in held.items() if any(b.share is not None for b in found)}
    if not held:
        raise UsageError(
            "invariance: no attribute of these audits has an index; add the metric `invariance` "
            "and attributes to the suite."
        )
    names = list(dict.fromkeys(b.name for found in held.values() for b in found))
    names.sort(key=lambda name: max(_share(found, name) for found in held.values()))
    across = min(len(held), MOST)
    down = -(-len(held) // across)
    figure = Figure(
        figsize=(PAGE * across / MOST + 0.9, down * (LINE * len(names) + 0.65)),
        layout="constrained",
    )
    panels: Any = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    ends = [b.high or b.share or 0.0 for found in held.values() for b in found]
    panels[0][0].set_xlim(-0.05, min(max(1.1, *ends), WIDEST))
    for place, panel in enumerate(panels.flat):
        if place >= len(held):
            panel.set_axis_off()
            continue
        audit, found = list(held.items())[place]
        _panel(panel, found, names)
        name = short_name(sources.records, audit, list(held))
        panel.set_title(named(name), loc="left", fontsize=8)
    return figure


def _panel(panel: Any, found: Sequence[AttributeBar], names: Sequence[str]) -> None:
    for bar in found:
        if bar.share is None:
            continue
        y = names.index(bar.name)
        panel.plot(
            [0, bar.share], [y, y], color=COLOURS[0], linewidth=3, alpha=0.35, solid_capstyle="butt"
        )
        if bar.low is not None and bar.high is not None:
            panel.plot([bar.low, bar.high], [y, y], color="black", linewidth=0.9)
        panel.plot([bar.share], [y], marker="o", markersize=3.5, color=COLOURS[0])
    for edge in (0, 1):
        panel.axvline(edge, color="0.6", linewidth=0.6, linestyle=":", zorder=0)
    panel.set_yticks(range(len(names)), [named(name) for name in names])
    panel.set_ylim(-0.6, len(names) - 0.4)
    panel.set_xticks([0, 0.5, 1], ["pinned", "0.5", "ignored"])


def _share(found: Sequence[AttributeBar], name: str) -> float:
    return max((b.share for b in found if b.name == name and b.share is not None), default=-1.0)
