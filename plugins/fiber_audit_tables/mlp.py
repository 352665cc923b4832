"""The network of a table: columns in natural units -> one logit per class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DROPOUT = 0.1


class TableMLP(nn.Module):
    """Standardises its columns itself, then two hidden layers with SiLU and dropout.

    Source: the classifier of HTRU2 in arXiv 2603.21782, appendix B: 8-128-128-2.

    Args:
        columns: d, of the table.
        width: of both hidden layers.
        classes: logits.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, columns: int, width: int = 128, classes: int = 2) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("std", torch.ones(columns))
        self.layers = nn.Sequential(
            nn.Linear(columns, width), nn.SiLU(), nn.Dropout(DROPOUT),
            nn.Linear(width, width), nn.SiLU(), nn.Dropout(DROPOUT),
            nn.Linear(width, classes),
        )  # fmt: skip

    def standardise(self, rows: Tensor) -> None:
        """Take mean and standard deviation of each column from training rows (n, d)."""
        rows = rows.double()
        self.mean.copy_(rows.mean(0))
        self.std.copy_(rows.std(0, correction=0))

    def forward(self, x: Tensor) -> Tensor:
        """Rows (n, d) in natural units -> logits (n, classes)."""
        return self.layers((x - self.mean) / self.std)
