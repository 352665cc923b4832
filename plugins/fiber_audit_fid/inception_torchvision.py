"""`inception-torchvision`: torchvision's Inception v3 with the weights IMAGENET1K_V1."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import inception_v3

from fiber_audit.contracts import NonNegativeInt

from . import checkpoints
from .choices import Preprocessing, Resize
from .inception import SIDE, Inception
from .resize import eight_bit, resized

SHORT_EDGE = 342


class InceptionTorchvision(Inception):
    """The pooled features of the last block, 2048 of them."""

    def __init__(
        self,
        *,
        weights: str = "",
        seed: NonNegativeInt = 0,
        download: bool = False,
        sha256: str = "",
        preprocessing: Preprocessing = "published",
        resize: Resize | None = None,
        rounded: bool = False,
    ) -> None:
        """Options: see `inception`."""
        with torch.random.fork_rng(devices=[]):  # its default initialisation draws global numbers
            network = inception_v3(
                weights=None, aux_logits=False, init_weights=False, transform_input=False
            )
        published = checkpoints.TORCHVISION_INCEPTION
        digest = checkpoints.load(network, published, weights, seed, download, sha256)
        network.fc = nn.Identity()
        how = resize or ("antialias" if preprocessing == "published" else "bilinear")
        super().__init__(_Network(network, preprocessing, how, rounded), 2048, digest)


class _Network(nn.Module):
    """Preprocessing and the network without its classifier."""

    def __init__(
        self, network: nn.Module, preprocessing: Preprocessing, resize: Resize, rounded: bool
    ) -> None:
        super().__init__()
        self.inception = network
        self.preprocessing, self.resize, self.rounded = preprocessing, resize, rounded

    def forward(self, x: Tensor) -> Tensor:
        x = eight_bit(x) if self.rounded else x
        if self.preprocessing == "published":
            height, width = x.shape[-2:]
            short = min(height, width)
            size = (SHORT_EDGE * height // short, SHORT_EDGE * width // short)
            x = 2 * cropped(eight_bit(resized(x, size, self.resize))) - 1
        else:
            x = resized(x, (SIDE, SIDE), self.resize)
        features: Tensor = self.inception(x)
        return features


def cropped(x: Tensor) -> Tensor:
    """The central 299 x 299 pixels, rounding like torchvision's CenterCrop."""
    height, width = x.shape[-2:]
    top, left = round((height - SIDE) / 2), round((width - SIDE) / 2)
    return F.pad(x, (-left, left + SIDE - width, -top, top + SIDE - height))
