"""The prior `diffusers`: whatever pipeline a user has, behind the one contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from fiber_audit import UsageError
from fiber_audit.contracts import Count, NonNegative, NonNegativeInt, Positive, Prediction, Prior
from fiber_audit.loading import digest_of, versions

from .codec import Codec, Latents, Pixels
from .family import Family, Parts, Wish
from .home import expanded
from .pipelines import AUTOENCODERS, family_of, index_of, load
from .schedulers import Kind, process_of

Dtype = Literal["float32", "float16", "bfloat16"]


class DiffusersPrior(Prior):
    """A pretrained pipeline of diffusers: UNet2DModel, Stable Diffusion 1 to 3.5, DiT, FLUX.

    The network is the pipeline's, called as the pipeline calls it: at the same state and time it
    says the same. The times of a trajectory are this package's grid, which a pipeline shares only
    where its scheduler is so set (README, "The grid"). A state is float32 whatever the weights are.

    Args:
        model: a folder that `save_pretrained` wrote (a pipeline, or one UNet2DModel with its
            scheduler), or a name on the Hugging Face hub.
        revision: a branch, tag or commit of the hub.
        prompt: the text, where the pipeline takes one; by default the empty one.
        label: the class, where it takes one; by default the empty one, which a DiT has.
        guidance: classifier-free guidance, the pipeline's guidance_scale; 0 is none. FLUX has it
            as an embedding, and 0 is its pipeline's default.
        prediction: what the network predicts; by default what its scheduler says.
        shift: of a flow's time grid; by default its scheduler's, from the number of tokens if that
            says so.
        clip: the range [-clip, clip] of clean states, in states' units. By default that of pixels,
            whether or not the scheduler clips them, and none for latents, as in their pipelines;
            the paper's latent prior has 5.
        size: (height, width) of the pictures, where the network can draw several.
        dtype: of the denoiser's and the text encoders' weights.
        vae_dtype: of the autoencoder's weights.
        tiling: decode large pictures tile by tile.
        gradient_checkpointing: trade time for memory in backward passes.
        download: fetch what is not in the cache.

    Raises:
        UsageError: the pipeline is of no known family, was distilled for consistency, thresholds
            dynamically, or has no use for an option.
        WeightsError: weights or a library are missing.
    """

    def __init__(
        self,
        model: str,
        revision: str = "",
        prompt: str = "",
        label: NonNegativeInt | None = None,
        guidance: NonNegative = 0.0,
        prediction: Kind = "auto",
        shift: Positive | Literal["auto"] = "auto",
        clip: Positive | Literal["auto"] = "auto",
        size: tuple[Count, Count] | None = None,
        dtype: Dtype = "float32",
        vae_dtype: Dtype = "float32",
        tiling: bool = False,
        gradient_checkpointing: bool = False,
        download: bool = False,
    ) -> None:
        model = expanded(model)
        wish = Wish(prompt, label, guidance, size)
        index = index_of(model, revision, download)
        kind = family_of(index, model)
        kind.refuse(wish, model)
        types = {"default": dtype, **dict.fromkeys(AUTOENCODERS, vae_dtype)}
        parts = load(model, index, types, revision, download)
        scheduler = parts.components["scheduler"]
        self._family, self.codec = kind(parts, wish), codec_of(parts, tiling)
        grid = _grid(self._family, self.codec, wish, model)
        self._process = process_of(scheduler, prediction, shift, self._family.tokens(*grid))
        self.schedule = self._process.schedule
        self.network = self._family.network.eval().requires_grad_(False)
        self.conditions = self._family.conditions
        self.state_shape = (self._family.channels, *grid)
        self.lossless = self.codec.lossless
        self.clip = _clip(self.codec, scheduler.config) if clip == "auto" else (-clip, clip)
        if gradient_checkpointing:
            for module in (self.network, *self.codec.children()):
                _checkpoint(module)
        settings = {k: v for k, v in scheduler.config.items() if not k.startswith("_")}
        told = (settings, self._process.name, self.state_shape, self.clip, guidance, tiling, types)
        self.weights_sha256 = digest_of(
            {**self.modules, **parts.text_encoders}, json.dumps(told, sort_keys=True, default=str)
        )
        self.facts = {
            "pipeline": f"{index['_class_name']}, {type(self.network).__name__}",
            "process": self._process.name,
            "condition": wish.words,
            "clip": _told(self.clip),
            "weights": dtype if self.lossless else f"{dtype}, autoencoder {vae_dtype}",
            "libraries": versions("diffusers", "transformers"),
        }

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """What the network says at (n, *state_shape) and (n,), by its process."""
        output = self._family(*self._process.seen(x_t, t))
        return self._process.prediction(output, x_t, t)

    def decode(self, state: Tensor) -> Tensor:
        """States -> pictures (n, c, h, w), by the autoencoder where there is one."""
        data: Tensor = self.codec(state)
        return data

    def encode(self, x: Tensor) -> Tensor:
        """Pictures -> states: of an autoencoder, the posterior's mode."""
        return self.codec.encode(x)


def codec_of(parts: Parts, tiling: bool) -> Codec:
    """The autoencoder, or else pixels: in [-1, 1], or in [0, 1] where noise explodes."""
    for name in AUTOENCODERS:
        if parts.components.get(name) is not None:
            return Latents.of(parts.components[name], tiling)
    if tiling:
        raise UsageError(f"tiling = true: {parts.model} has no autoencoder; leave it out.")
    score = type(parts.components["scheduler"]).__name__ == "ScoreSdeVeScheduler"
    return Pixels(0.0, 1.0) if score else Pixels()


def _checkpoint(module: Any) -> None:
    """Let a model of diffusers compute twice in backward passes.

    Raises:
        UsageError: it cannot.
    """
    try:
        module.enable_gradient_checkpointing()
    except (AttributeError, ValueError) as error:
        raise UsageError(
            f"gradient_checkpointing = true: {type(module).__name__} has none; leave it out."
        ) from error


def _grid(family: Family, codec: Codec, wish: Wish, model: str) -> tuple[int, int]:
    """Height and width of a state."""
    if wish.size is None:
        if family.grid is None:
            raise UsageError(f"size: {model} names none; set size = [height, width] in pixels.")
        return family.grid
    if takes := family.unfit(wish.size, codec.factor):
        raise UsageError(f"size = {wish.size}: {model} draws {takes}; choose another.")
    height, width = (side // codec.factor for side in wish.size)
    return height, width


def _clip(codec: Codec, config: Mapping[str, Any]) -> tuple[float, float] | None:
    """Of pixels, what the scheduler clips to, or else their range; of latents, none.

    Pipelines do not clip latents, which have no sharp range; the paper's latent prior has +-5.

    Raises:
        UsageError: the scheduler thresholds dynamically, each picture to a range of its own.
    """
    if config.get("thresholding"):
        raise UsageError(
            'clip = "auto": the scheduler clips each picture to a range of its own (thresholding '
            "= true), which is not done here; set clip to a number, 1 for the range of pixels."
        )
    if codec.clip is not None and config.get("clip_sample"):
        edge = float(config.get("clip_sample_range") or 1.0)
        return -edge, edge
    return codec.clip


def _told(clip: tuple[float, float] | None) -> str:
    """The range of clean states for a person."""
    return "none" if clip is None else f"clean states to [{clip[0]:g}, {clip[1]:g}]"
