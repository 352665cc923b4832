"""SD3Transformer2DModel: Stable Diffusion 3 and 3.5, flow matching with three text encoders."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .family import Family, Parts, Wish


class SD3(Family):
    """A transformer on latents and text, by default the empty one."""

    takes = frozenset({"prompt", "guidance"})

    def told(self, parts: Parts, wish: Wish) -> dict[str, Tensor]:
        """The embeddings of the text, word by word and as one vector."""
        text, no_text, pooled, no_pooled = parts.pipeline.encode_prompt(
            prompt=wish.prompt,
            prompt_2=None,
            prompt_3=None,
            do_classifier_free_guidance=wish.doubled,
        )
        if wish.doubled:
            text, pooled = torch.cat([no_text, text]), torch.cat([no_pooled, pooled])
        return {"text": text, "pooled": pooled}

    def call(self, x: Tensor, k: Tensor, told: Mapping[str, Tensor]) -> Tensor:
        """State, 1000 t, and the text's embeddings."""
        output: Tensor = self.network(
            hidden_states=x,
            timestep=k,
            encoder_hidden_states=told["text"],
            pooled_projections=told["pooled"],
        ).sample
        return output

    def unfit(self, size: tuple[int, int], factor: int) -> str | None:
        """It has places for so many patches along a side."""
        longest = int(self.network.config.pos_embed_max_size) * self.multiple * factor
        return super().unfit(size, factor) or (
            f"sides of up to {longest}" if max(size) > longest else None
        )
