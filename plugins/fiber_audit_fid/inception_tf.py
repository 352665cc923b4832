"""`inception-tf`: the FID network, TensorFlow's 2015 Inception in torch-fidelity's blocks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import (
    BasicConv2d,
    InceptionA,
    InceptionB,
    InceptionC,
    InceptionD,
    InceptionE_1,
    InceptionE_2,
)

from fiber_audit.contracts import NonNegativeInt

from . import checkpoints
from .choices import Layer, Preprocessing, Resize
from .inception import SIDE, Inception
from .resize import eight_bit, resized

ENDS: dict[Layer, str] = {
    "64": "MaxPool_1",
    "192": "MaxPool_2",
    "768": "Mixed_6e",
    "2048": "Mixed_7c",
}
"""Last block of the graph before each of its pooled features."""


class InceptionTF(Inception):
    """The FID network: pooled features of one of its layers."""

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
        layer: Layer = "2048",
    ) -> None:
        """Options: see `inception`; layer says which pooled features."""
        blocks = graph(layer)
        published = checkpoints.TF_INCEPTION
        digest = checkpoints.load(blocks, published, weights, seed, download, sha256)
        blocks.add_module("pool", nn.AdaptiveAvgPool2d(1))
        blocks.add_module("flat", nn.Flatten())
        how = resize or ("tf1" if preprocessing == "published" else "bilinear")
        super().__init__(_Network(blocks, preprocessing, how, rounded), int(layer), digest)


class _Network(nn.Module):
    """Preprocessing and the blocks."""

    def __init__(
        self, blocks: nn.Module, preprocessing: Preprocessing, resize: Resize, rounded: bool
    ) -> None:
        super().__init__()
        self.blocks = blocks
        self.preprocessing, self.resize, self.rounded = preprocessing, resize, rounded

    def forward(self, x: Tensor) -> Tensor:
        x = eight_bit(x) if self.rounded else x
        if self.preprocessing == "published":
            x = (resized(255 * x, (SIDE, SIDE), self.resize) - 128) / 128
        else:
            x = resized(x, (SIDE, SIDE), self.resize)
        features: Tensor = self.blocks(x)
        return features


def graph(layer: Layer) -> nn.Sequential:
    """The blocks up to a layer, with the names that the published checkpoint knows them by."""
    blocks = nn.Sequential()
    with torch.random.fork_rng(devices=[]):  # their default initialisation draws global numbers
        for name, make in BLOCKS.items():
            blocks.add_module(name, make())
            if name == ENDS[layer]:
                break
    return blocks


BLOCKS: dict[str, Callable[[], nn.Module]] = {
    "Conv2d_1a_3x3": lambda: BasicConv2d(3, 32, kernel_size=3, stride=2),
    "Conv2d_2a_3x3": lambda: BasicConv2d(32, 32, kernel_size=3),
    "Conv2d_2b_3x3": lambda: BasicConv2d(32, 64, kernel_size=3, padding=1),
    "MaxPool_1": lambda: nn.MaxPool2d(kernel_size=3, stride=2),
    "Conv2d_3b_1x1": lambda: BasicConv2d(64, 80, kernel_size=1),
    "Conv2d_4a_3x3": lambda: BasicConv2d(80, 192, kernel_size=3),
    "MaxPool_2": lambda: nn.MaxPool2d(kernel_size=3, stride=2),
    "Mixed_5b": lambda: InceptionA(192, pool_features=32),
    "Mixed_5c": lambda: InceptionA(256, pool_features=64),
    "Mixed_5d": lambda: InceptionA(288, pool_features=64),
    "Mixed_6a": lambda: InceptionB(288),
    "Mixed_6b": lambda: InceptionC(768, channels_7x7=128),
    "Mixed_6c": lambda: InceptionC(768, channels_7x7=160),
    "Mixed_6d": lambda: InceptionC(768, channels_7x7=160),
    "Mixed_6e": lambda: InceptionC(768, channels_7x7=192),
    "Mixed_7a": lambda: InceptionD(768),
    "Mixed_7b": lambda: InceptionE_1(1280),
    "Mixed_7c": lambda: InceptionE_2(2048),
}
"""Block -> how to make it, in the order of the graph. Its classifier is left out."""
