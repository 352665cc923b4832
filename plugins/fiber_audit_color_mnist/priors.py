"""The generative models: a diffusion and a flow on the autoencoder's codes, a diffusion on pixels.

All share the contract x_t = alpha(t) x_0 + sigma(t) eps; a latent state is a normalised code.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

import torch
from torch import Tensor

from fiber_audit.contracts import Prediction, Prior
from fiber_audit.sampling import FlowSchedule, VPSchedule, over

from .nets import LatentMLP, LayeredVAE, pixel_network
from .pixels import to_image, to_state
from .weights import SHIPPED


def _linear_schedule() -> VPSchedule:
    """Of DDPM (Ho et al., 2020): beta goes evenly from 1e-4 to .02 in 1,000 steps."""
    return VPSchedule((1 - torch.linspace(1e-4, 0.02, 1000)).cumprod(0))


class LatentPrior(Prior):
    """A residual MLP on 54-d codes; kind "eps" is a diffusion, "velocity" a flow."""

    state_shape = (54,)
    clip = (-5.0, 5.0)

    def __init__(
        self, network: LatentMLP, vae: LayeredVAE, kind: Literal["eps", "velocity"], sha: str
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.vae = vae.eval().requires_grad_(False)
        self.kind = kind
        self.schedule = _linear_schedule() if kind == "eps" else FlowSchedule()
        self.weights_sha256 = sha

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """From eps: x0 = (x_t - sigma eps) / alpha; from velocity v = eps - x0: x0 = x_t - t v."""
        if self.kind == "velocity":
            v = self.network(x_t, t)
            return Prediction(x_t - t[:, None] * v, x_t + (1 - t[:, None]) * v)
        assert isinstance(self.schedule, VPSchedule)
        eps = self.network(x_t, self.schedule.index(t) / self.schedule.training_steps)
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        return Prediction((x_t - over(sigma, x_t) * eps) / over(alpha, x_t), eps)

    def decode(self, state: Tensor) -> Tensor:
        """Normalised codes (n, 54) -> coloured digits."""
        return self.vae.decode(state)

    def encode(self, x: Tensor) -> Tensor:
        """Coloured digits -> normalised posterior means (n, 54)."""
        return self.vae.encode(x)

    def to(self, device: torch.device | str) -> Prior:
        """Move both networks."""
        self.vae.to(device)
        return super().to(device)


class LatentDiffusion(LatentPrior):
    """The diffusion on codes (method: arXiv 2603.21782, appendix B)."""

    def __init__(self) -> None:
        vae = SHIPPED.load(LayeredVAE(), "vae")
        super().__init__(SHIPPED.load(LatentMLP(), "latent"), vae, "eps", _joint("latent"))


class LatentFlow(LatentPrior):
    """Flow matching on the same codes."""

    def __init__(self) -> None:
        vae = SHIPPED.load(LayeredVAE(), "vae")
        super().__init__(SHIPPED.load(LatentMLP(), "flow"), vae, "velocity", _joint("flow"))


class PixelDiffusion(Prior):
    """A diffusers UNet with velocity prediction (v = alpha eps - sigma x0) on 2 x 2 patches."""

    state_shape = (12, 14, 14)
    clip = (-1.0, 1.0)
    lossless = True

    def __init__(self) -> None:
        self.network = SHIPPED.load(pixel_network(), "pixel")
        self.vp = self.schedule = _linear_schedule()
        self.weights_sha256 = SHIPPED.digest("pixel")

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """x0 = alpha x_t - sigma v, eps = sigma x_t + alpha v."""
        v = self.network(x_t, self.vp.index(t)).sample
        alpha, sigma = over(self.schedule.alpha(t), x_t), over(self.schedule.sigma(t), x_t)
        return Prediction(alpha * x_t - sigma * v, sigma * x_t + alpha * v)

    def decode(self, state: Tensor) -> Tensor:
        """State -> coloured digits."""
        return to_image(state)

    def encode(self, x: Tensor) -> Tensor:
        """Coloured digits -> state."""
        return to_state(x)


def _joint(name: str) -> str:
    """A latent prior is two networks; its digest covers both."""
    return sha256((SHIPPED.digest(name) + SHIPPED.digest("vae")).encode()).hexdigest()
