"""The picture of `causal.py`: queries, and draws from the fibers of both networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

COLOURS = torch.tensor([[0.25, 0.85, 0.35], [0.95, 0.30, 0.25]])
"""Of channel 0 and channel 1: green and red, as in the paper that made the data."""
SHOWN = 3
"""Draws of each query."""


def rgb(x: Tensor) -> Tensor:
    """(n, 2, h, w) -> (n, h, w, 3)."""
    return torch.einsum("nchw,cd->nhwd", x, COLOURS).clamp(0, 1)


def tiles(rows: list[Tensor]) -> Tensor:
    """Rows of (n, 2, h, w) -> one picture, with a rim between its tiles."""
    framed = [torch.nn.functional.pad(x, (1, 1, 1, 1)) for x in rows]
    return torch.cat([torch.cat([*rgb(x)], dim=1) for x in framed])


def causal_picture(
    path: Path, queries: Mapping[int, Tensor], draws: Mapping[str, Mapping[int, Tensor]]
) -> None:
    """One panel for each label.

    queries: label -> (n, 2, h, w). draws: network -> label -> (n, k, 2, h, w).
    """
    figure = Figure(figsize=(9, 3.7), layout="constrained")
    for axes, (label, own) in zip(figure.subplots(1, 2), queries.items(), strict=True):
        rows = [own]
        for found in draws.values():
            rows += [*found[label].transpose(0, 1)[:SHOWN]]
        _panel(axes, tiles(rows), label, list(draws), own.shape[-1] + 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def _panel(axes: Axes, picture: Tensor, label: int, networks: list[str], side: int) -> None:
    axes.imshow(picture.numpy(), interpolation="nearest")
    axes.set_title(f"label {label}: colour {'red' if label else 'green'} in four of five draws")
    places = [side / 2, *((1 + SHOWN * (i + 0.5)) * side for i in range(len(networks)))]
    axes.set_yticks(places, ["queries", *(f"fibers of {n.upper()}" for n in networks)])
    axes.set_xticks([])
    for i in range(len(networks)):
        axes.axhline((1 + SHOWN * i) * side - 0.5, color="white", linewidth=1.5)
    axes.tick_params(length=0)
