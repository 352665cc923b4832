"""cond-diffusion: a denoising diffusion of states, conditioned on the features.

    z_t = alpha_t z + sigma_t eps,    alpha_t^2 = prod_i<=t (1 - beta_i),
    |v_theta(z_t, t, h) - v|,         v = alpha_t eps - sigma_t z

at 1000 times, beta from 1e-4 to 0.02 linearly: Ho, Jain, Abbeel, "Denoising Diffusion Probabilistic
Models", NeurIPS 2020. The network says v, since x0 is alpha z_t - sigma v at every time, where from
eps it is (z_t - sigma eps) / alpha: an error of eps would count 150 times at the noisiest time, and
walks of few steps would carry it along (Salimans, Ho, "Progressive Distillation for Fast Sampling
of Diffusion Models", ICLR 2022). A draw adds no noise on its way.

Source: Rousselot, Wendebourg, Köthe, arXiv 2603.21782: a network of eps, width = 512, blocks = 6
with attention on h, beta up to 0.04, learning_rate = 1e-3, batch = 512, 1000 epochs,
error = "norm", fiber_weight = 0, steps = 1000.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fiber_audit.contracts import Prediction
from fiber_audit.sampling import VPSchedule, over

from .denoising import Denoiser, Denoising

TIMES = 1000
BETA = (1e-4, 0.02)


class DiffusionDenoiser(Denoiser):
    """A denoiser that says v."""

    schedule = VPSchedule((1 - torch.linspace(*BETA, TIMES, dtype=torch.float64)).cumprod(0))

    def times(self, n: int, generator: torch.Generator) -> Tensor:
        """All 1000 alike."""
        device = generator.device
        return (torch.randint(TIMES, (n,), generator=generator, device=device) + 1) / TIMES

    def goal(self, z: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """The velocity v = alpha eps - sigma z."""
        alpha, sigma = over(self.schedule.alpha(t), z), over(self.schedule.sigma(t), z)
        return alpha * eps - sigma * z

    def read(self, z_t: Tensor, t: Tensor, said: Tensor) -> Prediction:
        """x0 = alpha z_t - sigma v, eps = sigma z_t + alpha v."""
        alpha, sigma = over(self.schedule.alpha(t), z_t), over(self.schedule.sigma(t), z_t)
        return Prediction(alpha * z_t - sigma * said, sigma * z_t + alpha * said)


@dataclass(frozen=True, kw_only=True)
class ConditionalDiffusion(Denoising):
    """A diffusion conditioned on features."""

    denoiser: ClassVar[type[Denoiser]] = DiffusionDenoiser
