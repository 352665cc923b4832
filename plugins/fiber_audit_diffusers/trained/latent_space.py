"""The latents of an autoencoder, normalised channel by channel, as the space of a prior."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor
from torch.nn import functional as F

from fiber_audit import WeightsError
from fiber_audit.loading import digest_of

from ..codec import Latents
from .networks import multiple_of
from .recipe import Recipe
from .space import Space, moments
from .taesd import TaesdAutoencoder, pair_in, read_pair

FOLDER = "vae"
RESIDUE = 1e-6
"""Of the largest number of a channel: less spread than this is an autoencoder's rounding."""


class LatentSpace(Space):
    """A picture's state is its latent, less the mean and by the deviation of each channel.

    Both are measured on the training data. A side that autoencoder or network cannot halve gets a
    rim on the right or at the bottom, as in `Pixels`; grey pictures are shown in three channels.
    """

    clip = (-5.0, 5.0)
    lossless = False
    measured = ("codec.mean", "codec.std")

    def __init__(self, recipe: Recipe, data_shape: tuple[int, ...], vae: ModelMixin) -> None:
        super().__init__()
        self.channels, self.height, self.width = data_shape
        latents = int(vae.config["latent_channels"])
        self.codec = Latents(vae, torch.zeros(latents, 1, 1), torch.ones(latents, 1, 1))
        unit = self.codec.factor * multiple_of(recipe)
        height, width = (-(-side // unit) * unit for side in (self.height, self.width))
        if recipe.network == "dit":  # diffusers' knows squares only
            height = width = max(height, width)
        self.rim = (0, width - self.width, 0, height - self.height)
        self.state_shape = (latents, height // self.codec.factor, width // self.codec.factor)

    def encode(self, x: Tensor) -> Tensor:
        """(n, c, h, w) in [0, 1] -> normalised latents."""
        x = F.pad(x, self.rim, mode="replicate") if any(self.rim) else x
        return self.codec.encode(x.expand(-1, 3, -1, -1) if self.channels == 1 else x)

    def forward(self, state: Tensor) -> Tensor:
        """Normalised latents -> (n, c, h, w) in [0, 1]."""
        x = self.codec(state)[..., : self.height, : self.width]
        return x.mean(1, keepdim=True) if self.channels == 1 else x

    def measure(self, batches: Iterable[Tensor]) -> None:
        """Mean and standard deviation of each channel over training data and places."""
        place = self.codec.mean.device
        with torch.no_grad():
            latents = (self.encode(part.to(place)) for batch in batches for part in batch.split(64))
            mean, std = moments(latents, along=(0, 2, 3), residue=RESIDUE)
        self.codec.mean.copy_(mean.reshape(-1, 1, 1))
        self.codec.std.copy_(std.reshape(-1, 1, 1))

    def save(self, folder: Path) -> None:
        """Write the measures, and the autoencoder, so that the folder needs no other."""
        super().save(folder)
        self.codec.vae.save_pretrained(folder / FOLDER, safe_serialization=True)


def autoencoder(folder: Path) -> ModelMixin:
    """A diffusers autoencoder from its folder, or a pair of TAESD files in one; float32.

    Raises:
        WeightsError: there is none.
    """
    pair = pair_in(folder)
    if pair is not None:
        return read_pair(*pair)
    try:
        name = json.loads((folder / "config.json").read_text())["_class_name"]
        kind: Any = TaesdAutoencoder if name == "TaesdAutoencoder" else getattr(diffusers, name)
        return kind.from_pretrained(
            folder,
            torch_dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            low_cpu_mem_usage=False,
        )
    except (OSError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        raise WeightsError(
            f"autoencoder = {str(folder)!r}: holds no diffusers autoencoder (config.json with "
            f"safetensors) and no pair of TAESD files ({error})."
        ) from error


def content(vae: ModelMixin) -> str:
    """SHA-256 of an autoencoder: its weights, and how its config puts them together."""
    config = {name: value for name, value in vae.config.items() if not name.startswith("_")}
    return digest_of({"autoencoder": vae}, json.dumps(config, sort_keys=True, default=str))
