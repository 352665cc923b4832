"""Audits whose every number is known, for `coverage.py`: tables, small images, colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fiber_audit.contracts import Attribute, Dataset, Prior
from fiber_audit.measuring import Observations
from fiber_audit.measuring.scene import Scene
from fiber_audit.testing import GaussianPrior, LinearExtractor

DRAWS, D = 4, 8
MATRIX = torch.randn(5, D, generator=torch.Generator().manual_seed(9)) / D**0.5


class Rows(Dataset):
    """Fresh rows of the law of tables."""

    def __init__(self, q: int) -> None:
        self.ids, self.data_shape = tuple(f"q{i}" for i in range(q)), (D,)
        self.labels = None

    def load(self, indices: Any) -> Tensor:
        """Nothing: the scene has the queries."""
        raise NotImplementedError

    def reference(self, n: int, generator: torch.Generator) -> Tensor:
        """Standard normal rows."""
        return torch.randn(n, D, generator=generator)


class Sign(Attribute):
    """Whether a column is above 0."""

    kind = "class"

    def read(self, x: Tensor) -> Tensor:
        """Rows (n, D) -> (n,)."""
        return (x[:, 1] > 0).long()


class Coarse(Prior):
    """An autoencoder of images that can say only 4 x 4 blocks."""

    def __init__(self) -> None:
        self.network, self.state_shape = nn.Identity(), (3, 4, 4)

    def predict(self, x_t: Tensor, t: Tensor) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    def decode(self, state: Tensor) -> Tensor:
        """Blocks."""
        return state.repeat_interleave(2, -1).repeat_interleave(2, -2)

    def encode(self, x: Tensor) -> Tensor:
        """Means of blocks."""
        return nn.functional.avg_pool2d(x, 2)


class Flat(LinearExtractor):
    """Linear in all numbers of an image."""

    def features(self, x: Tensor) -> Tensor:
        """(n, ...) -> (n, d_h)."""
        return super().features(x.flatten(1))


def table(q: int, g: torch.Generator, tail: float = 0.4) -> Scene:
    """Draws near the fiber: the hidden part is the prior's, the seen part off by exp(tail N)."""
    queries = torch.randn(q, D, generator=g)
    rows = queries.repeat_interleave(DRAWS, 0)
    seen = torch.linalg.pinv(MATRIX) @ MATRIX
    free = torch.randn(q * DRAWS, D, generator=g)
    off = 0.2 * (tail * torch.randn(q, 1, generator=g)).exp().repeat_interleave(DRAWS, 0)
    error = off * torch.randn(q * DRAWS, D, generator=g)
    draws = rows @ seen.T + free @ (torch.eye(D) - seen).T + error @ seen.T
    unguided = 1.1 * torch.randn(q * DRAWS, D, generator=g)
    eyes = {"other": LinearExtractor(torch.eye(D)[:3]), "third": LinearExtractor(torch.eye(D)[4:])}
    data = Rows(q)
    return Scene(data.ids, queries, None, LinearExtractor(MATRIX), _gaussian(), data,
                 eyes.__getitem__, draws=draws, unguided=unguided)  # fmt: skip


def _gaussian() -> GaussianPrior:
    return GaussianPrior(torch.zeros(D), torch.eye(D))


def image(q: int, g: torch.Generator) -> Scene:
    """Blocks of 8 x 8 pixels, with a grain and a contrast of each query's own."""

    def blocks(grain: Tensor) -> Tensor:
        n = len(grain)
        x = Coarse().decode(torch.rand((n, 3, 4, 4), generator=g))
        x = x + grain[:, None, None, None] * torch.randn((n, 3, 8, 8), generator=g)
        return x.clamp(0, 1)

    grain = 0.03 * (0.5 * torch.randn(q, generator=g)).exp()
    own = grain.repeat_interleave(DRAWS)
    data = Rows(q)
    phi = Flat(torch.randn(5, 192, generator=torch.Generator().manual_seed(1)) / 14)
    return Scene(data.ids, blocks(grain), None, phi, Coarse(), data, {}.__getitem__,
                 draws=blocks(1.5 * own), unguided=blocks(own),
                 diagnostics={"saturation": torch.rand(q * DRAWS, generator=g) * own})  # fmt: skip


def colours(q: int, g: torch.Generator) -> Observations:
    """Backgrounds of draws around their query's, and a judge that is right as often as it is."""
    n = q * DRAWS
    own = torch.rand((q, 3), generator=g).double()
    apart = 0.15 * torch.randn((n, 3), generator=g).double()
    drawn = (own.repeat_interleave(DRAWS, 0) + apart).clamp(0, 1).reshape(q, DRAWS, 3)
    free = torch.rand((q, DRAWS, 3), generator=g).double()
    right = 0.6 + 0.4 * torch.rand((q, 1), generator=g).double()
    agreement = (torch.rand((q, DRAWS), generator=g) < right).double()
    return Observations(
        "a", "e", "p", "s", tuple(f"q{i}" for i in range(q)), np.zeros(q, np.int64), DRAWS,
        np.zeros((q, 1), np.float32), np.zeros((q, DRAWS), bool), False, (0.0, 1.0),
        observed={
            ("draws", "background"): drawn.numpy(), ("unguided", "background"): free.numpy(),
            ("queries", "background"): own.numpy(), ("draws", "agreement"): agreement.numpy(),
            ("unguided", "agreement"): agreement.numpy(),
            ("queries", "agreement"): right[:, 0].numpy().round(),
        },
    )  # fmt: skip
