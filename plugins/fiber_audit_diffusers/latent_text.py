"""UNet2DConditionModel with text encoders: Stable Diffusion 1 and 2, and SDXL."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from fiber_audit import UsageError

from .family import ConvolutionalFamily, Parts, Wish


class LatentText(ConvolutionalFamily):
    """A UNet that attends to a text, by default the empty one."""

    takes = frozenset({"prompt", "guidance"})

    def __init__(self, parts: Parts, wish: Wish) -> None:
        if parts.components[self.component].config.get("time_cond_proj_dim"):
            raise UsageError(
                f"model = {parts.model!r}: its UNet has guidance as an input (time_cond_proj_dim), "
                f"as distilled ones do; name the pipeline that it was distilled from."
            )
        super().__init__(parts, wish)

    def told(self, parts: Parts, wish: Wish) -> dict[str, Tensor]:
        """The embeddings of the text; SDXL's also as one vector, and the size of the picture."""
        found = parts.pipeline.encode_prompt(
            prompt=wish.prompt,
            device=torch.device("cpu"),
            num_images_per_prompt=1,
            do_classifier_free_guidance=wish.doubled,
        )
        text, without, *pooled = found
        rows = {"text": torch.cat([without, text]) if wish.doubled else text}
        if self.network.config.addition_embed_type == "text_time":  # SDXL
            both = pooled[::-1] if wish.doubled else pooled[:1]
            rows["pooled"] = torch.cat(both)
            rows["place"] = self._place(parts, wish).expand(len(both), -1)
        return rows

    def _place(self, parts: Parts, wish: Wish) -> Tensor:
        """An uncropped picture of the size that is drawn, (1, 6)."""
        factor, grid = parts.pipeline.vae_scale_factor, self.grid or (128, 128)
        height, width = wish.size or (grid[0] * factor, grid[1] * factor)
        return torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32)

    def call(self, x: Tensor, k: Tensor, told: Mapping[str, Tensor]) -> Tensor:
        """State, time, and the text's embeddings."""
        added = None
        if "pooled" in told:
            added = {"text_embeds": told["pooled"], "time_ids": told["place"]}
        output: Tensor = self.network(
            x, k, encoder_hidden_states=told["text"], added_cond_kwargs=added
        ).sample
        return output
