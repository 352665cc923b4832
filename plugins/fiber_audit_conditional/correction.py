"""What moves a state towards its fiber by what its features lack.

    l = asinh((h - phi(decode(z))) / RESOLUTION)
    z <- z + A (gate(z, h) * B l)

phi says what is lacking, so that only an inverse of the Jacobian of phi(decode(.)) is left to
learn; gate(z, h) tells which one where. A state on its fiber stays, and near it a step is linear in
what is lacking: nothing else, such as a colour that phi does not see, gives it a direction.

Learned steps from measured errors: Marino, Yue, Mandt, "Iterative Amortized Inference", ICML 2018.
They descend a bound and are shown its gradient; here the error itself is shown, which is cheaper by
a backward pass through phi and decoder.
"""

import torch
from torch import Tensor, nn

WIDTH = 256
"""Of the layers of the gate, and of what it gates."""
RESOLUTION = 0.05
"""Of what is lacking, in deviations of a feature: linear below it, logarithmic above."""


class Correction(nn.Module):
    """z, h, what z lacks of h -> the step to take; zero before training.

    Args:
        size: numbers of a state, which is flattened.
        features: size of h.
    """

    def __init__(self, size: int, features: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Linear(size + features, WIDTH),
            nn.SiLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.SiLU(),
            nn.Linear(WIDTH, WIDTH),
        )
        self.inlet = nn.Linear(features, WIDTH, bias=False)
        self.outlet = nn.Linear(WIDTH, size, bias=False)
        nn.init.zeros_(self.outlet.weight)

    def forward(self, z: Tensor, h: Tensor, lacks: Tensor) -> Tensor:
        """(n, *state_shape), (n, d) and (n, d) -> (n, *state_shape)."""
        gate = self.gate(torch.cat([z.flatten(1), h], dim=1))
        step = self.outlet(gate * self.inlet(torch.asinh(lacks / RESOLUTION)))
        return step.reshape(z.shape)
