"""The network of the generators on vectors: a residual multi-layer perceptron that is told things.

Notation
    z    a vector that the network transforms, (n, inputs)
    h    condition, (n, features)
    c    what it is told, features(h), (n, width)
    r    residual stream, (n, width)

    r = inlet([z, h]),   r <- r + outer(silu(inner(norm(r)) + c))  (`blocks` times),   outlet(r)

Every block is told, so that the stream need not carry h along; the inlet reads it too, so that what
is linear in h is one matrix product away.
"""

import torch
from torch import Tensor, nn

from fiber_audit.fitting import ResidualBlock


class ResidualMLP(nn.Module):
    """(z, h) -> (n, outputs); zero before training, since its last layer is.

    Differentiable in forward and in reverse mode, as often as wanted; every row is for itself.

    Args:
        inputs: size of z.
        outputs: size of the result.
        features: size of h.
        width: size of the residual stream and of the hidden layer of a block.
        blocks: number of residual blocks, two linear layers each.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        features: int,
        width: int = 256,
        blocks: int = 3,
    ) -> None:
        super().__init__()
        self.features = nn.Linear(features, width)
        self.inlet = nn.Linear(inputs + features, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.outlet = nn.Linear(width, outputs)
        nn.init.zeros_(self.outlet.weight)
        nn.init.zeros_(self.outlet.bias)

    def forward(self, z: Tensor, h: Tensor) -> Tensor:
        """Transform (n, inputs) under conditions (n, features)."""
        c = self.features(h)
        stream = self.inlet(torch.cat([z, h], dim=1))
        for block in self.blocks:
            stream = block(stream, c)
        return self.outlet(stream)
