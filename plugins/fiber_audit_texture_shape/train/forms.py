"""Many forms of each digit: one Gaussian each, and together they are a digit as it is written."""

from __future__ import annotations

import torch
from torch import Tensor


def forms_of(x: Tensor, labels: Tensor, forms: int) -> Tensor:
    """(n,) int64, 0 to forms - 1: the points (n, d) of each label in parts of one size.

    All parts are halved where they vary most, at the median, until there are as many as forms: a
    power of two for each label.
    """
    found, count = labels, int(labels.max()) + 1
    while count < forms:
        upper = torch.zeros_like(found)
        for part in range(count):
            mine = found == part
            apart = x[mine].double() - x[mine].double().mean(0)
            along = apart @ torch.linalg.eigh(apart.T @ apart).eigenvectors[:, -1]
            upper[mine] = (along > along.median()).long()
        found, count = 2 * found + upper, 2 * count
    return found
