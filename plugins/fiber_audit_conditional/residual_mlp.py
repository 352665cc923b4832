"""The network of the generators on vectors: a residual multi-layer perceptron that is told things.

Notation
    z    a vector that the network transforms, (n, inputs)
    h    condition, (n, features)
    t    time, (n,) in [0, 1]; only where the network is timed
    c    what it is told, features(h) + time(waves(t)), (n, width)
    r    residual stream, (n, width)

    r = inlet([z, h]),   r <- r + outer(silu(inner(norm(r)) + c))  (`blocks` times),   outlet(r)

Every block is told, so that the stream need not carry h along; the inlet reads it too, so that what
is linear in h is one matrix product away.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FREQUENCIES = 32


class ResidualMLP(nn.Module):
    """(z, h) or (z, h, t) -> (n, outputs); zero before training, since its last layer is.

    Differentiable in forward and in reverse mode, as often as wanted; every row is for itself.

    Args:
        inputs: size of z.
        outputs: size of the result.
        features: size of h.
        width: size of the residual stream and of the hidden layer of a block.
        blocks: number of residual blocks, two linear layers each.
        timed: whether it is called with a time.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        features: int,
        width: int = 256,
        blocks: int = 3,
        timed: bool = False,
    ) -> None:
        super().__init__()
        self.features = nn.Linear(features, width)
        if timed:
            self.time = nn.Sequential(
                nn.Linear(2 * FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width)
            )
        self.inlet = nn.Linear(inputs + features, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.outlet = nn.Linear(width, outputs)
        nn.init.zeros_(self.outlet.weight)
        nn.init.zeros_(self.outlet.bias)

    def forward(self, z: Tensor, h: Tensor, t: Tensor | None = None) -> Tensor:
        """Transform (n, inputs) under conditions (n, features), at times (n,) if it is timed."""
        c = self.features(h)
        if t is not None:
            c = c + self.time(waves(t))
        stream = self.inlet(torch.cat([z, h], dim=1))
        for block in self.blocks:
            stream = block(stream, c)
        return self.outlet(stream)


class Block(nn.Module):
    """r + outer(silu(inner(norm(r)) + c)), r (n, width) and c (n, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, stream: Tensor, c: Tensor) -> Tensor:
        """One step of the residual stream."""
        return stream + self.outer(F.silu(self.inner(self.norm(stream)) + c))


def waves(t: Tensor) -> Tensor:
    """Times (n,) in [0, 1] as sines and cosines of 1 to 1000 radians, (n, 2 FREQUENCIES)."""
    frequency = torch.exp(torch.linspace(0, math.log(1000), FREQUENCIES, device=t.device))
    angle = t[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)
