"""The block that small networks of states are made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    """x + W(silu(V norm(x) + condition)), x and condition (n, width); at first the identity."""

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(n, width), (n, width) -> (n, width)."""
        return x + self.outer(self.dropout(F.silu(self.inner(self.norm(x)) + condition)))
