"""The network of the denoisers on flat states: a perceptron told time and features.

c   time(waves(t)) + features(h), (n, width)
r   residual stream:  inlet(z_t),  r <- r + outer(silu(inner(norm(r)) + c))  (`blocks` times),
    outlet(silu(norm(r)))
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fiber_audit.fitting import ResidualBlock

FREQUENCIES = 32


class ConditionalMLP(nn.Module):
    """(z_t, t, h) -> what is said of z_t, shaped like it; zero before training.

    Args:
        state_shape: shape of one state, which is flattened.
        features: size of h.
        width: size of the residual stream and of the hidden layer of a block.
        blocks: number of residual blocks, two linear layers each.
    """

    def __init__(
        self, state_shape: tuple[int, ...], features: int, width: int, blocks: int
    ) -> None:
        super().__init__()
        size = math.prod(state_shape)
        self.time = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.features = nn.Linear(features, width)
        self.inlet = nn.Linear(size, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.norm, self.outlet = nn.LayerNorm(width), nn.Linear(width, size)
        nn.init.zeros_(self.outlet.weight)
        nn.init.zeros_(self.outlet.bias)

    def forward(self, z_t: Tensor, t: Tensor, h: Tensor) -> Tensor:
        """States (n, *state_shape), times (n,) in (0, 1] and features (n, d)."""
        c = self.time(waves(t)) + self.features(h)
        stream = self.inlet(z_t.flatten(1))
        for block in self.blocks:
            stream = block(stream, c)
        return self.outlet(F.silu(self.norm(stream))).reshape(z_t.shape)


def waves(t: Tensor) -> Tensor:
    """Times (n,) in [0, 1] as sines and cosines of 1 to 1000 radians, (n, 2 FREQUENCIES)."""
    frequency = torch.exp(torch.linspace(0, math.log(1000), FREQUENCIES, device=t.device))
    angle = t[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)
