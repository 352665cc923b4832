"""Between data space and the states of a prior: pixels, or the latents of an autoencoder.

Data space is images (n, c, h, w) float32 in [0, 1]; a state is float32, too, whatever the type of
the autoencoder's weights. An autoencoder sees [-1, 1], and a latent z becomes the state

    (z - mean) / std        with std = 1 / scaling_factor, mean = shift_factor in diffusers' words
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fiber_audit import UsageError


class Codec(nn.Module, ABC):
    """Calling it decodes, so that a hook on it counts the decodings."""

    factor: int = 1
    """Pixels per cell of the state, along a side."""
    lossless: bool = False
    clip: tuple[float, float] | None = None
    """The range of a clean state, where it has one."""

    @abstractmethod
    def forward(self, state: Tensor) -> Tensor:
        """States (n, c, h, w) -> images in [0, 1], differentiable, not clamped."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Images in [0, 1] -> states."""


class Pixels(Codec):
    """The state is the picture, from [0, 1] to [low, high]."""

    lossless = True

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__()
        self.clip = (low, high)
        self._low, self._width = low, high - low
        self.eval()

    def forward(self, state: Tensor) -> Tensor:
        """From [low, high] to [0, 1]."""
        return (state - self._low) / self._width

    def encode(self, x: Tensor) -> Tensor:
        """From [0, 1] to [low, high]."""
        return x * self._width + self._low


class Latents(Codec):
    """The state is the normalised latent of an AutoencoderKL, an AutoencoderTiny or a VQModel.

    vae: frozen here, in eval mode; computes in the type of its weights.
    mean, std: of a latent, broadcast over (c, h, w): scalars, or (c, 1, 1) for each channel.
    tiling: decode large pictures tile by tile, which saves memory and leaves faint seams.

    Raises:
        UsageError: tiling, of an autoencoder that knows none.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        vae: Any,
        mean: Tensor | float = 0.0,
        std: Tensor | float = 1.0,
        tiling: bool = False,
    ) -> None:
        super().__init__()
        self.vae = vae.eval().requires_grad_(False)
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.as_tensor(std, dtype=torch.float32))
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        if tiling:
            if not hasattr(vae, "use_tiling"):
                raise UsageError(f"tiling = true: {type(vae).__name__} has none; leave it out.")
            self.vae.enable_tiling()
        self.eval()

    @classmethod
    def of(cls, vae: Any, tiling: bool = False) -> Latents:
        """With the scaling, the shift and the channels' statistics of the autoencoder's config."""
        config = vae.config
        scaling = float(config.get("scaling_factor") or 1.0)
        mean, std = config.get("latents_mean"), config.get("latents_std")
        if mean is not None and std is not None:
            return cls(vae, _channels(mean), _channels(std) / scaling, tiling)
        return cls(vae, float(config.get("shift_factor") or 0.0), 1 / scaling, tiling)

    def forward(self, state: Tensor) -> Tensor:
        """Decode the latents."""
        z = (state * self.std + self.mean).to(self.vae.dtype)
        return (self.vae.decode(z).sample.float() + 1) / 2

    def encode(self, x: Tensor) -> Tensor:
        """The mode of the posterior: nothing is drawn."""
        found = self.vae.encode((x * 2 - 1).to(self.vae.dtype))
        z = found.latent_dist.mode() if hasattr(found, "latent_dist") else found.latents
        return (z.float() - self.mean) / self.std


def _channels(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1)
