"""rcdm: the representation-conditioned diffusion model of Bordes, Balestriero and Vincent.

A UNet on images that is told W h beside the time, trained on the squared error alone.

Source: "High Fidelity Visualization of What Your Self-Supervised Representation Knows About", TMLR
2022, and its code: a UNet of ADM's kind at 128 x 128, learning_rate = 1e-4, ema = 0.9999, 8 images
on each of 32 GPUs, steps = 100 of 1000. Their network says eps, not v, and its own variance, which
a draw without added noise does not need.
"""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from fiber_audit.contracts import Count, Fraction, NonNegative, NonNegativeInt, Positive

from .cond_diffusion import ConditionalDiffusion
from .unet import ConditionalUNet


@dataclass(frozen=True, kw_only=True)
class RCDM(ConditionalDiffusion):
    """Bordes et al. 2021: a diffusion of images, conditioned on features, without a fiber loss.

    For states that are images. Options as of cond-diffusion, with other defaults.
    """

    width: NonNegativeInt = 64
    blocks: NonNegativeInt = 2
    error: Literal["norm", "square"] = "square"
    fiber_weight: NonNegative = 0.0
    learning_rate: Positive = 1e-4
    ema: Fraction = 0.9999
    steps: Count = 100

    def network(self, state_shape: tuple[int, ...], features: int) -> nn.Module:
        """A UNet, whatever the states are."""
        return ConditionalUNet(state_shape, features, self.width or 64, self.blocks or 2)
