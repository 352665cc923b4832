"""What held-out data says of a trained network, for the manifest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ..rendering import some
from ..shapes import Shapes

HELD_OUT, PROBED, RIDGE = 10_000, 6_000, 1e-3
Network = Callable[[Tensor], Tensor]


@torch.no_grad()
def shares_right(logits: Network, held: Shapes, heads: dict[str, int]) -> dict[str, float]:
    """Share of fresh held-out pictures that each head is right about; heads: name -> logits."""
    right = dict.fromkeys(heads, 0)
    for seed in range(HELD_OUT // 1000):
        x, *truth = some(held, 1000, torch.Generator().manual_seed(seed))
        known = dict(zip(("shape", "texture"), truth, strict=True))
        for (name, _), part in zip(
            heads.items(), logits(x).split([*heads.values()], dim=1), strict=True
        ):
            right[name] += int((part.argmax(1) == known[name]).sum())
    return {name: count / HELD_OUT for name, count in right.items()}


@torch.no_grad()
def probes(features: Network, seen: Shapes, held: Shapes) -> dict[str, float]:
    """Share of held-out pictures whose shape, and whose texture, a linear probe reads.

    Ridge regression of classes on standardised features, in float64.
    """
    parts = [
        [torch.cat(column) for column in zip(*_pictures(shapes, features, start), strict=True)]
        for shapes, start in ((seen, 1000), (held, 2000))
    ]
    (a, *learned), (b, *asked) = parts
    mean, std = a.mean(0), a.std(0).clamp(min=1e-9)
    a, b = (F.pad((f - mean) / std, (0, 1), value=1.0) for f in (a, b))
    gram = a.T @ a / len(a) + RIDGE * torch.eye(a.shape[1], dtype=torch.float64)
    found = {}
    for name, y, truth in zip(("shape", "texture"), learned, asked, strict=True):
        weights = torch.linalg.solve(gram, a.T @ F.one_hot(y).double() / len(a))
        found[name] = float(((b @ weights).argmax(1) == truth).double().mean())
    return found


def _pictures(shapes: Shapes, features: Network, start: int) -> list[tuple[Tensor, ...]]:
    found = []
    for seed in range(start, start + PROBED // 1000):
        x, *truth = some(shapes, 1000, torch.Generator().manual_seed(seed))
        found.append((features(x).double(), *truth))
    return found
