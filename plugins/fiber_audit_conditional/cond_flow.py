"""cond-flow: flow matching of states, conditioned on the features.

    z_t = (1 - t) z + t eps,    |v_theta(z_t, t, h) - (eps - z)|

A draw follows dz_t/dt = v from noise, t = 1, to data, t = 0.

Times are uniform: more of them in the middle or near data, as helps an unconditional flow, made
draws on Color MNIST worse, since what h decides is decided while there is noise.

Sources: Lipman et al., "Flow Matching for Generative Modeling", ICLR 2023. Rousselot, Wendebourg,
Köthe, arXiv 2603.21782: width = 512, blocks = 6, learning_rate = 1e-3, batch = 512, 250 epochs,
error = "norm", fiber_weight = 0, 100 steps of two evaluations.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fiber_audit.contracts import Prediction
from fiber_audit.sampling import FlowSchedule, over

from .denoising import Denoiser, Denoising


class FlowDenoiser(Denoiser):
    """A denoiser that says v = eps - z."""

    schedule = FlowSchedule()

    def times(self, n: int, generator: torch.Generator) -> Tensor:
        """Uniform."""
        return 1 - torch.rand(n, generator=generator, device=generator.device)

    def goal(self, z: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """The velocity of the straight path."""
        return eps - z

    def read(self, z_t: Tensor, t: Tensor, said: Tensor) -> Prediction:
        """x0 = z_t - t v, eps = z_t + (1 - t) v."""
        time = over(t, z_t)
        return Prediction(z_t - time * said, z_t + (1 - time) * said)


@dataclass(frozen=True, kw_only=True)
class ConditionalFlow(Denoising):
    """Flow matching conditioned on features."""

    denoiser: ClassVar[type[Denoiser]] = FlowDenoiser
