"""The network of the denoisers on images: a diffusers UNet that is told the features.

    c   time_embedding(t) + W h,    scales and shifts every residual block

as in the code of Bordes, Balestriero, Vincent, "High Fidelity Visualization of What Your
Self-Supervised Representation Knows About", TMLR 2022 (RCDM).
"""

import math

from diffusers import UNet2DModel
from torch import Tensor, nn

from fiber_audit import UsageError

EMBEDDED = 4
"""Width of the time embedding, in units of the UNet's width."""
TRAINED_TIMES = 1000.0
"""What diffusers calls t = 1."""


class ConditionalUNet(nn.Module):
    """(z_t, t, h) -> an image shaped like z_t.

    Halves an image up to twice, where its sides allow; attention at the coarsest level.

    Args:
        state_shape: (channels, height, width) of a state.
        features: size of h.
        width: channels of the finest level, a multiple of 8; twice as many below.
        blocks: residual blocks of a level.

    Raises:
        UsageError: states that are not images, or a width that is no multiple of 8.
    """

    def __init__(
        self, state_shape: tuple[int, ...], features: int, width: int, blocks: int
    ) -> None:
        super().__init__()
        if len(state_shape) != 3:
            raise UsageError(
                f"states of shape {state_shape} are no images, which a UNet needs; use "
                "cond-diffusion or cond-flow, which have a network for any shape."
            )
        if width % 8:
            raise UsageError(f"sampler.width = {width}: a UNet's width is a multiple of 8.")
        channels, height, side = state_shape
        halvings = next(k for k in (2, 1, 0) if math.gcd(height, side) % 2**k == 0)
        above = ("DownBlock2D",) * halvings
        self.features = nn.Linear(features, EMBEDDED * width)
        self.unet = UNet2DModel(
            sample_size=(height, side),
            in_channels=channels,
            out_channels=channels,
            block_out_channels=(width, *(2 * width,) * halvings),
            layers_per_block=blocks,
            down_block_types=(*above, "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", *("UpBlock2D",) * halvings),
            norm_num_groups=8,
            attention_head_dim=8,
            resnet_time_scale_shift="scale_shift",
            time_embedding_dim=EMBEDDED * width,
            class_embed_type="identity",
        )
        nn.init.zeros_(self.unet.conv_out.weight)
        nn.init.zeros_(self.unet.conv_out.bias)

    def forward(self, z_t: Tensor, t: Tensor, h: Tensor) -> Tensor:
        """States (n, c, h, w), times (n,) in (0, 1] and features (n, d)."""
        told = self.features(h)
        seen: Tensor = self.unet(z_t, TRAINED_TIMES * t, class_labels=told, return_dict=False)[0]
        return seen
