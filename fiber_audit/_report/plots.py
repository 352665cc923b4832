"""Plots as inline SVG that takes its colours from the page, so that dark mode is one stylesheet.

Ink is drawn in marker colours which are then replaced by CSS variables. Output is deterministic:
salted ids, no date, no metadata. Every id carries the plot's name, so that plots share a page.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from ..records import headlines
from .headlines import Column, metrics_of
from .numbers import cell
from .plain import plain

if TYPE_CHECKING:
    import pandas as pd

MOST_PLOTS = 3
WIDTH = 4.6
LARGEST = 1e100
"""Beyond it axes overflow; such an audit is in the table, but not in the plot."""
INK, RULE, PAPER = "#010203", "#010204", "#010205"
PALETTE = ("#010206", "#010207", "#010208", "#010209", "#01020a", "#01020b")
VARIABLES = {INK: "--ink", RULE: "--rule", PAPER: "--paper"} | {
    colour: f"--series-{i}" for i, colour in enumerate(PALETTE)
}
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True)
class AuditPoint:
    """One audit, its value and 95 % interval on x and y; an interval may be missing."""

    audit: str
    x: tuple[float, float | None, float | None]
    y: tuple[float, float | None, float | None]


@dataclass(frozen=True)
class MetricPair:
    """A fidelity metric y against a consistency metric x; floor is what true samples have on x."""

    x: Column
    y: Column
    points: list[AuditPoint]
    floor: float | None


@dataclass(frozen=True)
class Plot:
    """An SVG and the metrics it shows."""

    svg: str
    x: str
    y: str


def scatters(records: pd.DataFrame) -> list[Plot]:
    """The pairs of the records as SVG elements."""
    plots = []
    for i, pair in enumerate(pairs(records)):
        dotted = "" if pair.floor is None else " (dotted: floor)"
        labels = label(pair.x) + dotted, label(pair.y)
        svg = scatter(pair.points, *labels, f"scatter-{i}", pair.floor)
        plots.append(Plot(svg, pair.x.metric, pair.y.metric))
    return plots


def pairs(records: pd.DataFrame) -> list[MetricPair]:
    """The first fidelity metric against each consistency metric, at most three."""
    columns = metrics_of(records)
    y = next((c for c in columns if c.axis == "fidelity"), None)
    audits = [str(a) for a in records["audit"].dropna().unique()]
    rows = {(str(r["audit"]), str(r["metric"])): r for _, r in headlines(records).iterrows()}
    found: list[MetricPair] = []
    for x in columns:
        if y is None or x.axis != "consistency":
            continue
        points = [p for a in audits if (p := _point(rows, a, x.metric, y.metric)) is not None]
        if points and len(found) < MOST_PLOTS:
            found.append(MetricPair(x, y, points, _floor(records, x.metric)))
    return found


def label(column: Column) -> str:
    """The metric, after an arrow to where it is better."""
    arrow = {"lower": "↓ ", "higher": "↑ "}.get(column.better, "")
    return arrow + plain(column.metric)


def bars(value: tuple[float, float | None, float | None]) -> list[list[float]] | None:
    """A value with its interval as matplotlib wants error bars; None where there is none."""
    centre, low, high = value
    if low is None or high is None:
        return None
    return [[max(centre - low, 0.0)], [max(high - centre, 0.0)]]


def spans(values: Sequence[float]) -> bool:
    """Whether values ask for a logarithmic axis: they are positive and span a factor of 50."""
    return min(values) > 0 and max(values) > 50 * min(values)


def _floor(records: pd.DataFrame, metric: str) -> float | None:
    """What true samples of the same number have, if the metric says so: the mean over audits."""
    rows = records[(records["metric"] == metric) & (records["statistic"] == "floor")]
    values = rows[rows["query"].isna()]["value"].dropna()
    return float(values.mean()) if len(values) else None


def _point(
    rows: Mapping[tuple[str, str], pd.Series[Any]], audit: str, x: str, y: str
) -> AuditPoint | None:
    found = []
    for metric in (x, y):
        row = rows.get((audit, metric))
        if row is None or cell(row, "value") is None:
            return None
        ends = float(row["value"]), cell(row, "ci_low"), cell(row, "ci_high")
        if any(end is not None and abs(end) > LARGEST for end in ends):
            return None
        found.append(ends)
    return AuditPoint(audit, found[0], found[1])


def scatter(
    points: Sequence[AuditPoint], x: str, y: str, name: str, floor: float | None = None
) -> str:
    """Points with error bars and a legend as an SVG element; name must be unique on the page.

    floor: where on x to draw a dotted line.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with (
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 9}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # the reader's fonts draw them
        below = 0.6 + 0.19 * len(points)  # inches for the axis label and the legend
        height = below + 2.75
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.add_axes((0.18, below / height, 0.79, 2.6 / height))
        axes.set_facecolor("none")
        for i, point in enumerate(points):
            colour = PALETTE[i % len(PALETTE)]
            axes.errorbar(
                point.x[0], point.y[0], xerr=bars(point.x), yerr=bars(point.y),
                marker=MARKERS[i % len(MARKERS)], color=colour, markeredgecolor=PAPER,
                markersize=8, linestyle="none", capsize=3, label=str(i),
            )  # fmt: skip
        if floor is not None:
            axes.axvline(floor, color=INK, linewidth=0.8, linestyle=":")
        _frame(axes, points, x, y)
        legend = axes.legend(
            loc="upper left", bbox_to_anchor=(-0.16, -0.16), frameon=False, labelcolor=INK,
            borderaxespad=0, handletextpad=0.4,
        )  # fmt: skip
        for text, point in zip(legend.get_texts(), points, strict=True):
            text.set_parse_math(False)
            text.set_text(plain(point.audit))
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    alt = f"Scatter of {y} against {x}: " + "; ".join(
        f"{plain(p.audit)}: {p.y[0]:.3g} against {p.x[0]:.3g}" for p in points
    )
    return inlined(buffer.getvalue(), name, alt)


def _frame(axes: Any, points: Sequence[AuditPoint], x: str, y: str) -> None:
    """Axes from zero where nothing is negative, logarithmic where values span a factor of 50."""
    for which, label in (("x", x), ("y", y)):
        values = [getattr(p, which)[0] for p in points]
        lows = [getattr(p, which)[1] for p in points]
        floor = min([*values, *(v for v in lows if v is not None)])
        getattr(axes, f"set_{which}label")(label, color=INK, parse_math=False)
        if floor > 0 and spans(values):
            getattr(axes, f"set_{which}scale")("log")
        elif floor >= 0:
            getattr(axes, f"set_{which}lim")(**{"left" if which == "x" else "bottom": 0})
    axes.tick_params(colors=INK, which="both", labelcolor=INK)
    axes.grid(color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(RULE)


def inlined(svg: str, name: str, alt: str) -> str:
    """An SVG file as an element of a page: own ids, the page's colours, a text alternative."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    return body.replace("<svg", f'<svg role="img" aria-label="{escape(alt, quote=True)}"', 1)
