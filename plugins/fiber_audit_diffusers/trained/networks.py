"""The networks: a UNet, a DiT and a residual MLP, all of them diffusers models."""

from __future__ import annotations

from math import gcd

import torch
from diffusers import DiTTransformer2DModel, UNet2DModel
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor

from .recipe import Recipe
from .residual_mlp import ResidualMLP

FOLDERS: dict[str, tuple[str, type[ModelMixin]]] = {
    "unet": ("unet", UNet2DModel),
    "dit": ("transformer", DiTTransformer2DModel),
    "mlp": ("mlp", ResidualMLP),
}
"""Option `network` -> its folder in a diffusers folder, and its class."""


def built(recipe: Recipe, state_shape: tuple[int, ...], seed: int) -> ModelMixin:
    """A fresh network for states of this shape; the caller's random state is kept.

    In eval mode, also for training: no layer of it behaves differently in training.
    """
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(seed)
        if recipe.network == "mlp":
            network = ResidualMLP(state_shape, recipe.width, recipe.depth)
        elif recipe.network == "dit":
            network = _dit(recipe, state_shape)
        else:
            network = _unet(recipe, state_shape)
    return network.eval()


def loaded(recipe: Recipe) -> ModelMixin:
    """The network of a finished fit, float32, frozen."""
    name, kind = FOLDERS[recipe.network]
    network: ModelMixin = kind.from_pretrained(
        recipe.folder / name,
        torch_dtype=torch.float32,
        local_files_only=True,
        use_safetensors=True,
        low_cpu_mem_usage=False,  # True needs accelerate
    )
    return network.eval().requires_grad_(False)


def answer(network: ModelMixin, x_t: Tensor, time: Tensor) -> Tensor:
    """What a network says of states (n, *state_shape) at its own times (n,), 0 to 1,000."""
    if isinstance(network, DiTTransformer2DModel):
        null = torch.ones_like(time, dtype=torch.long)  # the one class is 0, no class is 1
        return network(x_t, time, class_labels=null).sample
    if isinstance(network, UNet2DModel):
        return network(x_t, time).sample
    return network(x_t, time)


def multiple_of(recipe: Recipe) -> int:
    """What height and width of a picture must be a multiple of, for the network to halve them."""
    halvings = recipe.levels - 1 if recipe.network == "unet" else 0
    return int(recipe.patch * 2**halvings)


def _unet(recipe: Recipe, state_shape: tuple[int, ...]) -> UNet2DModel:
    channels, height, width = state_shape
    widths = [recipe.width * min(2**level, 4) for level in range(recipe.levels)]
    attends = [recipe.attention and level == recipe.levels - 1 for level in range(recipe.levels)]
    return UNet2DModel(
        sample_size=(height, width),
        in_channels=channels,
        out_channels=channels,
        block_out_channels=tuple(widths),
        down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)),
        layers_per_block=recipe.depth,
        norm_num_groups=gcd(recipe.width // 4, 32),
        attention_head_dim=gcd(widths[-1], 64),
        add_attention=recipe.attention,
    )


def _dit(recipe: Recipe, state_shape: tuple[int, ...]) -> DiTTransformer2DModel:
    channels, size, _ = state_shape
    heads = max(1, recipe.width // 64)
    return DiTTransformer2DModel(
        num_attention_heads=heads,
        attention_head_dim=recipe.width // heads,
        in_channels=channels,
        out_channels=channels,
        num_layers=recipe.depth,
        sample_size=size,
        patch_size=recipe.patch,
        num_embeds_ada_norm=1,
    )
