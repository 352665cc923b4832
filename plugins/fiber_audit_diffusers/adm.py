"""ADM, the ablated diffusion models of guided-diffusion, from checkpoints as they were published.

A discrete VP diffusion of 1,000 steps with linear or cosine betas on pixels in [-1, 1]; the network
predicts the noise and, in as many channels again, the variance of a step, which is dropped.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from fiber_audit import UsageError, WeightsError
from fiber_audit.contracts import Count, NonNegativeInt, Prediction, Prior
from fiber_audit.loading import digest_of, read_tensors, versions
from fiber_audit.sampling import VPSchedule, over

from .adm_keys import Layout, Order, converted
from .home import expanded

GROUPS = 32
"""Of every group norm."""
Betas = Literal["linear", "cosine"]
STEPS, FIRST, LAST = 1000, 1e-4, 0.02
"""How many betas; the ends of the linear ones."""
LEAST, MOST = 0.008, 0.999
"""Of the cosine ones: what keeps the first from 0, and the largest."""


class AdmPrior(Prior):
    """A checkpoint of guided-diffusion, for instance 256x256_diffusion_uncond.pt.

    Args:
        path: the file, a state_dict (.pt or .safetensors). Widths, levels and attention are read
            from it.
        size: pixels of a side: those that it was trained on.
        label: the class that is drawn, for a class-conditional checkpoint only, which needs one.
        head_channels: channels of an attention head (num_head_channels).
        attention: order of queries, keys and values: legacy, or new for a model trained with
            use_new_attention_order.
        noise: the schedule that it was trained with (noise_schedule), which no weight tells.
            OpenAI's 64x64_diffusion.pt has cosine, its larger models linear.
        dtype: of the network's weights; states and noise stay float32.
    """

    clip = (-1.0, 1.0)
    lossless = True

    def __init__(
        self,
        path: str,
        size: Count = 256,
        label: NonNegativeInt | None = None,
        head_channels: Count = 64,
        attention: Order = "legacy",
        noise: Betas = "linear",
        dtype: Literal["float32", "float16", "bfloat16"] = "float32",
    ) -> None:
        weights = _read(Path(expanded(path)))
        layout = Layout.of(weights)
        _refuse(layout, size, label, head_channels)
        self.network = _network(weights, layout, head_channels, attention)
        self.network.to(getattr(torch, dtype)).eval().requires_grad_(False)
        self.dtype, self.label = getattr(torch, dtype), label
        self.schedule: VPSchedule = VPSchedule((1 - betas_of(noise)).cumprod(0))
        self.state_shape = (layout.channels, size, size)
        told = (f"head_channels {head_channels}", f"attention {attention}", f"label {label}", dtype)
        self.weights_sha256 = digest_of({"network": self.network}, "adm", str(size), noise, *told)
        self.facts = {
            "network": f"ADM, {layout.layers} blocks for each of the widths {layout.widths}",
            "noise": f"{STEPS} steps, {noise}",
            "libraries": versions("diffusers", "torch"),
        }

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """From eps: x0 = (x_t - sigma eps) / alpha."""
        steps = self.schedule.index(t)
        labels = {} if self.label is None else {"class_labels": torch.full_like(steps, self.label)}
        output = self.network(x_t.to(self.dtype), steps, **labels).sample.float()
        eps = output[:, : self.state_shape[0]]
        alpha, sigma = over(self.schedule.alpha(t), x_t), over(self.schedule.sigma(t), x_t)
        return Prediction((x_t - sigma * eps) / alpha, eps)

    def decode(self, state: Tensor) -> Tensor:
        """[-1, 1] -> [0, 1]."""
        return (state + 1) / 2

    def encode(self, x: Tensor) -> Tensor:
        """[0, 1] -> [-1, 1]."""
        return 2 * x - 1


def betas_of(noise: Betas) -> Tensor:
    """The betas of guided-diffusion's schedules, (STEPS,) float64.

    Cosine: those of abar(t) = cos^2((t + 0.008) / 1.008 pi / 2) at t = 0, 1 / STEPS .. 1, of at
    most 0.999. Source: Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models",
    ICML 2021, section 3.2.
    """
    if noise == "linear":
        return torch.linspace(FIRST, LAST, STEPS, dtype=torch.float64)
    t = torch.linspace(0, 1, STEPS + 1, dtype=torch.float64)
    abar = ((t + LEAST) / (1 + LEAST) * math.pi / 2).cos().square()
    return (1 - abar[1:] / abar[:-1]).clamp(max=MOST)


def _read(path: Path) -> dict[str, Tensor]:
    """A state_dict; nothing in the file is executed."""
    if not path.is_file():
        raise WeightsError(
            f"adm: path = {str(path)!r}: no such file; download a checkpoint of guided-diffusion, "
            f"e.g. 256x256_diffusion_uncond.pt, and give its path."
        )
    found = read_tensors(path)
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise WeightsError(f"adm: path = {str(path)!r}: no state_dict; save only the weights.")
    return found


def _refuse(layout: Layout, size: int, label: int | None, head_channels: int) -> None:
    """Options that do not fit the checkpoint."""
    generates = layout.channels in (1, 3)  # an upsampler takes as many again, the small picture
    if not generates or layout.outputs not in (layout.channels, 2 * layout.channels):
        raise WeightsError(
            f"adm: the network takes {layout.channels} channels and gives {layout.outputs}; give "
            f"a diffusion model, not an upsampler or a classifier."
        )
    finest = 2 ** (len(layout.widths) - 1)
    if size % finest:
        raise UsageError(f"adm: size = {size}: this network needs a multiple of {finest}.")
    for width, attends in zip(layout.widths, (*layout.attends[:-1], True), strict=True):
        if attends and width % head_channels:
            raise UsageError(
                f"adm: head_channels = {head_channels}: does not divide the width {width}; give "
                f"the num_head_channels of the training."
            )
        if width % GROUPS:
            raise WeightsError(f"adm: a width of {width} is no multiple of {GROUPS}, as ADM's are.")
    if layout.classes and label is None:
        raise UsageError(f"adm: the network is of {layout.classes} classes; give a label.")
    if label is not None and label >= layout.classes:
        known = f"is of {layout.classes} classes" if layout.classes else "has no classes"
        raise UsageError(f"adm: label = {label}: this network {known}.")


def _network(
    weights: dict[str, Tensor], layout: Layout, head_channels: int, order: Order
) -> nn.Module:
    from diffusers import UNet2DModel

    with torch.device("meta"):  # no numbers are drawn that weights replace
        network: nn.Module = UNet2DModel(**layout.config(head_channels))
    try:
        network.load_state_dict(converted(weights, layout, head_channels, order), assign=True)
    except RuntimeError as error:
        told = [line.strip() for line in str(error).splitlines()[1:2]]
        raise WeightsError(f"adm: the checkpoint does not fit ({''.join(told)[:200]}).") from error
    return network
