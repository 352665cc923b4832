"""The small networks of the benchmark.

Shapes: gray digits (n, 1, 28, 28) and coloured digits (n, 3, 28, 28), float32 in [0, 1].
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .colouring import decolorize
from .halving import Double, Halve

if TYPE_CHECKING:
    from diffusers import UNet2DModel


class ShapeAutoencoder(nn.Module):
    """A denoising autoencoder of gray digits; its code is the feature of `color-mnist-shape`."""

    scale: Tensor

    def __init__(self, code: int = 48, width: int = 32, decoder: bool = True) -> None:
        super().__init__()
        w = width
        self.encoder = nn.Sequential(
            Halve(1, w), nn.SiLU(),
            nn.Conv2d(w, w, 4, 2, 1), nn.SiLU(), nn.Flatten(),
            nn.Linear(w * 49, 256), nn.SiLU(), nn.Linear(256, code),
        )  # fmt: skip
        if decoder:  # only training needs it
            self.decoder = nn.Sequential(
                nn.Linear(code, 256), nn.SiLU(), nn.Linear(256, w * 49), nn.SiLU(),
                nn.Unflatten(1, (w, 7, 7)),
                nn.ConvTranspose2d(w, w, 4, 2, 1), nn.SiLU(), Double(w, 1),
            )  # fmt: skip
        self.register_buffer("scale", torch.ones(()))

    def code(self, m: Tensor) -> Tensor:
        """Gray digits -> (n, 48), scaled so that the mean variance of a coordinate is 1."""
        return self.encoder(m) / self.scale

    def forward(self, x: Tensor) -> Tensor:
        """Coloured digits -> (n, 48) code of the decolorised digit."""
        return self.code(decolorize(x))


class ColourNet(nn.Module):
    """Regresses the background colour of a coloured digit, whatever its shape."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        w = width
        self.body = nn.Sequential(
            Halve(3, w), nn.SiLU(), nn.Conv2d(w, w, 4, 2, 1), nn.SiLU(),
            nn.Conv2d(w, w, 4, 2, 1), nn.SiLU(), nn.Flatten(),
            nn.Linear(w * 9, 64), nn.SiLU(), nn.Linear(64, 3),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Coloured digits -> (n, 3), the background colour in units of 0.2 about 0.5."""
        return self.body(x)


class DigitClassifier(nn.Module):
    """A convolutional digit classifier; `pooled` swaps strided for pooled convolutions."""

    def __init__(self, width: int = 32, hidden: int = 64, pooled: bool = False) -> None:
        super().__init__()
        w = width
        if pooled:
            body: list[nn.Module] = [
                nn.Conv2d(3, w, 3, 1, 1), nn.GELU(), nn.AvgPool2d(2),
                nn.Conv2d(w, 2 * w, 3, 1, 1), nn.GELU(), nn.AvgPool2d(2),
                nn.Conv2d(2 * w, 2 * w, 3, 1, 1), nn.GELU(), nn.Flatten(),
            ]  # fmt: skip
        else:
            body = [
                Halve(3, w), nn.SiLU(),
                nn.Conv2d(w, 2 * w, 4, 2, 1), nn.SiLU(), nn.Flatten(),
            ]  # fmt: skip
        self.body = nn.Sequential(*body, nn.Linear(2 * w * 49, hidden), nn.SiLU())
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(hidden, 10)

    def features(self, x: Tensor) -> Tensor:
        """Coloured digits -> penultimate layer, (n, hidden)."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Coloured digits -> logits, (n, 10)."""
        return self.head(self.dropout(self.features(x)))


def pooled_classifier() -> DigitClassifier:
    """What `color-mnist-classifier-b` is."""
    return DigitClassifier(width=16, hidden=96, pooled=True)


def judge() -> DigitClassifier:
    """Says which digit is drawn: wider than the networks under audit, and none of them."""
    return DigitClassifier(width=48, hidden=128)


class ResidualMLP(nn.Module):
    """x + MLP(norm(x) + condition), the block of the latent networks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.zeros_(self.outer.weight)

    def forward(self, x: Tensor, condition: Tensor | float = 0.0) -> Tensor:
        """(n, width) -> (n, width)."""
        return x + self.outer(F.silu(self.inner(self.norm(x)) + condition))


class LayeredVAE(nn.Module):
    """A variational autoencoder whose decoder paints a mask in two colours.

    The code is shared: both the mask and the colours are read from all of its dimensions, and
    foreground and background are free of each other. Method: arXiv 2603.21782, appendix B.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, latent: int = 54, width: int = 48, hidden: int = 512) -> None:
        super().__init__()
        w = width
        self.encoder = nn.Sequential(
            Halve(3, w), nn.SiLU(), nn.Conv2d(w, w, 4, 2, 1), nn.SiLU(),
            nn.Flatten(), nn.Linear(w * 49, hidden), ResidualMLP(hidden),
            nn.LayerNorm(hidden), nn.Linear(hidden, 2 * latent),
        )  # fmt: skip
        self.trunk = nn.Sequential(nn.Linear(latent, hidden), ResidualMLP(hidden), nn.SiLU())
        self.colours = nn.Linear(hidden, 6)
        self.mask = nn.Sequential(
            nn.Linear(hidden, w * 49), nn.SiLU(), nn.Unflatten(1, (w, 7, 7)),
            nn.ConvTranspose2d(w, w, 4, 2, 1), nn.SiLU(),
            Double(w, 1),
        )  # fmt: skip
        self.log_variance = nn.Parameter(torch.tensor(-4.0))
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("std", torch.ones(latent))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Coloured digits -> mean and log-variance of the code, each (n, latent)."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 4)

    def paint(self, z: Tensor) -> Tensor:
        """Raw code (n, latent) -> coloured digits."""
        hidden = self.trunk(z)
        back, front = self.colours(hidden).sigmoid()[:, :, None, None].chunk(2, dim=1)
        m = self.mask(hidden).sigmoid()
        return (1 - m) * back + m * front

    def encode(self, x: Tensor) -> Tensor:
        """Coloured digits -> normalised posterior mean, (n, latent)."""
        return (self.posterior(x)[0] - self.mean) / self.std

    def decode(self, z: Tensor) -> Tensor:
        """Normalised code (n, latent) -> coloured digits."""
        return self.paint(z * self.std + self.mean)


class LatentMLP(nn.Module):
    """The denoiser (or velocity field) on normalised codes: a residual MLP with time."""

    def __init__(self, latent: int = 54, width: int = 512, depth: int = 4) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width))
        self.inlet = nn.Linear(latent, width)
        self.blocks = nn.ModuleList(ResidualMLP(width) for _ in range(depth))
        self.outlet = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, latent))

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        """Noisy codes (n, latent) and times (n,) in [0, 1] (1 = noise) -> (n, latent)."""
        frequency = torch.exp(torch.linspace(0, math.log(1000), 32, device=z.device))
        angle = t[:, None].to(z.dtype) * frequency
        condition = self.time(torch.cat([angle.sin(), angle.cos()], dim=1))
        hidden = self.inlet(z)
        for block in self.blocks:
            hidden = block(hidden, condition)
        return self.outlet(hidden)


def pixel_network() -> UNet2DModel:
    """A 2.1 M parameter UNet of diffusers on 14 x 14 patches of 2 x 2 pixels."""
    from diffusers import UNet2DModel  # here: to import it takes as long as torch

    return UNet2DModel(
        sample_size=14, in_channels=12, out_channels=12, block_out_channels=(48, 96),
        layers_per_block=2, norm_num_groups=16, attention_head_dim=32,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )  # fmt: skip
