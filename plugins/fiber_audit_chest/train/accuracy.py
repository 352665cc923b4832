"""What held-out data says of a trained network, for the manifest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..radiographs import mirrored
from .recipes import Radiographs

RIDGE = 1e-2


@torch.no_grad()
def share_right(odds: Callable[[Tensor], Tensor], x: Tensor, labels: Tensor) -> float:
    """Share of pictures whose log odds have the sign of the label."""
    return float(((odds(x) > 0) == (labels > 0)).double().mean())


@torch.no_grad()
def side_probe(features: Callable[[Tensor], Tensor], seen: Radiographs, held: Radiographs) -> float:
    """Share of held-out pictures and mirror images that a linear probe of features tells apart.

    Ridge regression of +1 (usual) and -1 (mirrored) on standardised features, in float64.
    """
    parts = []
    for x in (seen.x, held.x):
        f = features(torch.cat([x, mirrored(x)])).double()
        parts.append(f)
    mean, std = parts[0].mean(0), parts[0].std(0).clamp(min=1e-9)
    a, b = ((f - mean) / std for f in parts)
    y = torch.ones(len(a), dtype=torch.float64)
    y[len(a) // 2 :] = -1
    gram = a.T @ a / len(a) + RIDGE * torch.eye(a.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, a.T @ y / len(a))
    truth = torch.ones(len(b), dtype=torch.float64)
    truth[len(b) // 2 :] = -1
    return float(((b @ weights).sign() == truth).double().mean())
