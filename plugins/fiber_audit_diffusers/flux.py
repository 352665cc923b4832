"""FluxTransformer2DModel: flow matching on latents packed into tokens of 2 x 2."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from fiber_audit import UsageError

from .family import Family, Parts, Wish


class Flux(Family):
    """A transformer on packed latents and text; guidance, if any, is an embedding of its own.

    A state is unpacked, (n, channels, h, w). Guidance was distilled into the network: it is handed
    the number and called once. 0 is the pipeline's own, and no guidance at all does not exist.
    """

    takes = frozenset({"prompt", "guidance"})
    distilled = True
    multiple = 2

    def __init__(self, parts: Parts, wish: Wish) -> None:
        super().__init__(parts, wish)
        self.channels //= 4
        self.grid = (parts.pipeline.default_sample_size,) * 2

    def told(self, parts: Parts, wish: Wish) -> dict[str, Tensor]:
        """The embeddings of the text, word by word and as one vector, and the guidance."""
        pipeline, embeds = parts.pipeline, self.network.config.guidance_embeds
        if wish.guidance and not embeds:
            raise UsageError(f"guidance = {wish.guidance}: {parts.model} has none; leave it out.")
        text, pooled, _ = pipeline.encode_prompt(prompt=wish.prompt, prompt_2=None)
        rows = {"text": text, "pooled": pooled}
        if embeds:
            own = inspect.signature(type(pipeline).__call__).parameters["guidance_scale"].default
            rows["guidance"] = torch.tensor([wish.guidance or float(own)])
        return rows

    def call(self, x: Tensor, k: Tensor, told: Mapping[str, Tensor]) -> Tensor:
        """Packed state, t, the text's embeddings and the places of all tokens."""
        height, width = x.shape[2] // 2, x.shape[3] // 2
        output = self.network(
            hidden_states=pixel_unshuffle(x, 2).flatten(2).transpose(1, 2),
            timestep=k / 1000,  # the network multiplies it again
            guidance=told.get("guidance"),
            pooled_projections=told["pooled"],
            encoder_hidden_states=told["text"],
            txt_ids=torch.zeros(told["text"].shape[1], 3, device=x.device),
            img_ids=_places(height, width, x.device),
        ).sample
        return pixel_shuffle(output.transpose(1, 2).unflatten(2, (height, width)), 2)


def _places(height: int, width: int, device: torch.device) -> Tensor:
    """The places of image tokens, (height * width, 3): 0, row, column."""
    rows, columns = (torch.arange(side, device=device) for side in (height, width))
    row, column = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([torch.zeros_like(row), row, column], dim=-1).reshape(-1, 3).float()
