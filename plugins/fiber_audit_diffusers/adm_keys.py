"""Checkpoints of guided-diffusion as weights of diffusers' UNet2DModel: same network, other names.

Dhariwal and Nichol, "Diffusion models beat GANs on image synthesis", 2021. Blocks are numbered
through there and grouped by level here; queries, keys and values are one convolution there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from fiber_audit import WeightsError

Weights = Mapping[str, Tensor]
Order = Literal["legacy", "new"]
"""Of a qkv convolution: q, k, v of each head in turn, or all q, then all k, then all v."""

RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "label_emb": "class_embedding",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}


@dataclass(frozen=True)
class Layout:
    """What the shapes of a checkpoint tell of its network.

    layers: residual blocks of a level on the way down. widths: channels of each level. attends:
    whether a level has attention. classes: 0 for an unconditional network.
    """

    layers: int
    widths: tuple[int, ...]
    attends: tuple[bool, ...]
    channels: int
    outputs: int
    classes: int
    scale_shift: bool

    @classmethod
    def of(cls, weights: Weights) -> Layout:
        """Read it.

        Raises:
            WeightsError: these are not the weights of such a network.
        """
        try:
            return cls._of(weights)
        except (KeyError, IndexError) as error:
            raise WeightsError(
                "adm: the checkpoint has no blocks like ADM's; give one of guided-diffusion's "
                "diffusion models with resblock_updown, e.g. 256x256_diffusion_uncond.pt."
            ) from error

    @classmethod
    def _of(cls, weights: Weights) -> Layout:
        numbers = {key.split(".")[1] for key in weights if key.startswith("output_blocks.")}
        blocks = len(numbers)
        rising = [k for k in range(blocks) if _riser(weights, k)]
        each = rising[0] + 1 if rising else blocks  # blocks of a level, the last of which goes up
        firsts = [f"input_blocks.{k}" for k in range(1, blocks + 1, max(each, 1))]
        widths = tuple(len(weights[f"{first}.0.out_layers.3.weight"]) for first in firsts)
        first = weights[f"{firsts[0]}.0.emb_layers.1.weight"]
        labels = weights.get("label_emb.weight")
        return cls(
            layers=each - 1,
            widths=widths,
            attends=tuple(f"{first}.1.qkv.weight" in weights for first in firsts),
            channels=weights["input_blocks.0.0.weight"].shape[1],
            outputs=len(weights["out.2.weight"]),
            classes=0 if labels is None else len(labels),
            scale_shift=len(first) == 2 * widths[0],
        )

    def config(self, head_channels: int) -> dict[str, Any]:
        """Arguments of UNet2DModel."""
        down = {True: "AttnDownBlock2D", False: "ResnetDownsampleBlock2D"}
        up = {True: "AttnUpBlock2D", False: "ResnetUpsampleBlock2D"}
        return {
            "in_channels": self.channels,
            "out_channels": self.outputs,
            "down_block_types": tuple(down[attends] for attends in self.attends),
            "up_block_types": tuple(up[attends] for attends in reversed(self.attends)),
            "block_out_channels": self.widths,
            "layers_per_block": self.layers,
            "downsample_type": "resnet",
            "upsample_type": "resnet",
            "attention_head_dim": head_channels,
            "attn_norm_num_groups": 32,
            "resnet_time_scale_shift": "scale_shift" if self.scale_shift else "default",
            "num_class_embeds": self.classes or None,
        }

    def places(self) -> Iterator[tuple[str, str, str]]:
        """(kind, prefix there, prefix here) of every block: kind is residual or attention."""
        yield "residual", "middle_block.0", "mid_block.resnets.0"
        yield "attention", "middle_block.1", "mid_block.attentions.0"
        yield "residual", "middle_block.2", "mid_block.resnets.1"
        last = len(self.widths) - 1
        for level, attends in enumerate(self.attends):
            here, start = f"down_blocks.{level}", 1 + level * (self.layers + 1)
            for j in range(self.layers):
                yield "residual", f"input_blocks.{start + j}.0", f"{here}.resnets.{j}"
                if attends:
                    yield "attention", f"input_blocks.{start + j}.1", f"{here}.attentions.{j}"
            if level < last:
                yield "residual", f"input_blocks.{start + self.layers}.0", f"{here}.downsamplers.0"
        for level, attends in enumerate(reversed(self.attends)):
            here, start = f"up_blocks.{level}", level * (self.layers + 1)
            for j in range(self.layers + 1):
                yield "residual", f"output_blocks.{start + j}.0", f"{here}.resnets.{j}"
                if attends:
                    yield "attention", f"output_blocks.{start + j}.1", f"{here}.attentions.{j}"
            if level < last:
                riser = f"output_blocks.{start + self.layers}.{1 + attends}"
                yield "residual", riser, f"{here}.upsamplers.0"


def _riser(weights: Weights, block: int) -> bool:
    """Does an output block end in a residual block that doubles the resolution?"""
    return any(f"output_blocks.{block}.{i}.in_layers.2.weight" in weights for i in (1, 2))


def converted(
    weights: Weights, layout: Layout, head_channels: int, order: Order
) -> dict[str, Tensor]:
    """The weights by their names in UNet2DModel.

    Raises:
        WeightsError: some have no place there.
    """
    left, found = dict(weights), dict[str, Tensor]()

    def move(there: str, here: str) -> None:
        for name in ("weight", "bias"):
            if (value := left.pop(f"{there}.{name}", None)) is not None:
                found[f"{here}.{name}"] = value

    for there, here in ENDS.items():
        move(there, here)
    for kind, there, here in layout.places():
        if kind == "residual":
            for old, new in RESIDUAL.items():
                move(f"{there}.{old}", f"{here}.{new}")
            continue
        move(f"{there}.norm", f"{here}.group_norm")
        for name in ("weight", "bias"):
            qkv, out = (left.pop(f"{there}.{part}.{name}", None) for part in ("qkv", "proj_out"))
            if qkv is None or out is None:
                raise WeightsError(f"adm: {there} has no {name} of an attention; give ADM weights.")
            parts = _separated(_flat(qkv), head_channels, order)
            for part, value in zip("qkv", parts, strict=True):
                found[f"{here}.to_{part}.{name}"] = value
            found[f"{here}.to_out.0.{name}"] = _flat(out)
    if left:
        raise WeightsError(
            f"adm: {min(left)} has no place in UNet2DModel; give one of guided-diffusion's "
            f"diffusion models with resblock_updown."
        )
    return found


def _flat(kernel: Tensor) -> Tensor:
    """A convolution of one point is a linear map."""
    return kernel.reshape(kernel.shape[:2] if kernel.ndim > 1 else kernel.shape)


def _separated(qkv: Tensor, head_channels: int, order: Order) -> list[Tensor]:
    """(3 heads head_channels, ...) -> q, k, v, each (heads head_channels, ...)."""
    heads = len(qkv) // (3 * head_channels)
    shape = (heads, 3) if order == "legacy" else (3, heads)
    split = qkv.reshape(*shape, head_channels, *qkv.shape[1:])
    parts = split.unbind(1) if order == "legacy" else split.unbind(0)
    return [part.reshape(-1, *qkv.shape[1:]).contiguous() for part in parts]
