"""The picture of the study: pictures, and what each network takes for the same."""

from __future__ import annotations

from pathlib import Path

from grid import paint_grid
from torch import Tensor
from torch.nn.functional import pad

QUERIES, DRAWS = range(4), 4
TITLES = {
    "shape penultimate": "taught the shape",
    "texture penultimate": "taught the texture",
    "both penultimate": "taught both",
    "both-blurred penultimate": "both, blurred",
    "unguided": "the prior alone",
}


def paint(queries: Tensor, draws: dict[str, Tensor], path: Path) -> None:
    """Rows of queries (q, 1, 32, 32), each followed by draws (q k, 1, 32, 32) of every network."""
    draws = {name or "unguided": x.unflatten(0, (-1, DRAWS)) for name, x in draws.items()}
    shown = [name for name in TITLES if name in draws]
    rows = [
        [side_by_side(x) for x in (queries[q : q + 1], *(draws[name][q] for name in shown))]
        for q in QUERIES
    ]
    titles = ["query", *(TITLES[name] for name in shown)]
    paint_grid(rows, titles, DRAWS, path, size=(12.6, 3.0))


def side_by_side(x: Tensor) -> Tensor:
    """(k, 1, 32, 32) -> one picture (34, 34 k), white between them."""
    return pad(x[:, 0], (1, 1, 1, 1), value=1.0).transpose(0, 1).flatten(1)
