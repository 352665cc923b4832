"""When should a draw not be believed? When it lies far outside what the prior does unguided."""

from __future__ import annotations

import torch
from torch import Tensor

FEWEST = 8
"""Unguided draws below which quartiles say nothing, and nothing is suspected."""


def far_out(values: Tensor, normal: Tensor, margin: float, fence: float = 3.0) -> Tensor:
    """Values above the far fence of the normal ones: Q3 + max(fence * (Q3 - Q1), margin).

    Three interquartile ranges above the upper quartile is Tukey's "far out" (Exploratory Data
    Analysis, 1977): about one draw in a million of a Gaussian. margin is a difference too small to
    matter, for normal values that hardly vary. Shape and type bool follow values.

    >>> normal = torch.linspace(0, 1, 9)                # quartiles 0.25 and 0.75, fence at 2.25
    >>> far_out(torch.tensor([2.2, 2.3]), normal, margin=0.01)
    tensor([False,  True])
    """
    if normal.numel() < FEWEST:
        return torch.zeros_like(values, dtype=torch.bool)
    q1, q3 = normal.double().flatten().quantile(torch.tensor([0.25, 0.75], dtype=torch.float64))
    limit = float(q3) + max(fence * float(q3 - q1), margin)
    return torch.gt(values, limit)
