"""The two Inceptions that Fréchet distances are computed with, differentiable in the input.

`inception-tf` is the FID network: the graph and the weights of TensorFlow's 2015 Inception as
torch-fidelity holds them. `inception-torchvision` is torchvision's IMAGENET1K_V1. They differ in
weights and in four places of the graph: TF averages pools without the padding, takes a maximum in
the pool of the last block, has 1008 classes, and resizes without half-pixel centres.

Preprocessing of images in [0, 1]:

    tf, published            resize 255 x to 299 x 299 like TF1, then (x - 128) / 128
    torchvision, published   short edge to 342 with a filter, round to 8 bits, crop 299, 2 x - 1
    unit (both)              resize to 299 x 299, nothing else: the variant of arXiv 2603.21782
"""

from __future__ import annotations

import io

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fiber_audit.contracts import Extractor
from fiber_audit.errors import UsageError

from . import checkpoints
from .choices import Layer, Preprocessing, Resize
from .resize import eight_bit, resized

SIDE = 299
SHORT_EDGE = 342
ENDS: dict[str, str] = {
    "64": "MaxPool_1",
    "192": "MaxPool_2",
    "768": "Mixed_6e",
    "2048": "Mixed_7c",
}
"""Last block of the TF graph before each of its pooled features."""


class Inception(Extractor):
    """Images (n, 3 or 1, h, w) in [0, 1] -> (n, d) float32, for either network."""

    def __init__(self, network: nn.Module, feature_size: int, digest: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.feature_size, self.weights_sha256 = feature_size, digest

    def features(self, x: Tensor) -> Tensor:
        """Pooled features; per sample, differentiable."""
        if x.ndim != 4 or x.shape[1] not in (1, 3):
            raise UsageError(
                f"an Inception sees images (n, 3 or 1, h, w), not {tuple(x.shape)}: "
                "measure this data with another extractor."
            )
        features: Tensor = self.network(x.expand(-1, 3, -1, -1))
        return features


class _TF(nn.Module):
    """Preprocessing and the blocks of torch-fidelity's network up to one of its features."""

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


class _Torchvision(nn.Module):
    """Preprocessing and torchvision's network without its classifier."""

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
            x = 2 * _cropped(eight_bit(resized(x, size, self.resize))) - 1
        else:
            x = resized(x, (SIDE, SIDE), self.resize)
        features: Tensor = self.inception(x)
        return features


def inception_tf(
    weights: str = "",
    seed: int = 0,
    download: bool = False,
    sha256: str = "",
    preprocessing: Preprocessing = "published",
    resize: Resize | None = None,
    rounded: bool = False,
    layer: Layer = "2048",
) -> Inception:
    """The FID network; see `checkpoints.load` for where weights come from.

    resize: by default as published (tf1), for "unit" bilinear. rounded: see images as a saved
    8-bit file would show them. layer: which pooled features.
    """
    graph = _torch_fidelity_graph()
    digest = checkpoints.load(graph, checkpoints.TF_INCEPTION, weights, seed, download, sha256)
    blocks = nn.Sequential()
    for name, block in graph.named_children():
        blocks.add_module(name, block)
        if name == ENDS[layer]:
            break
    blocks.add_module("pool", nn.AdaptiveAvgPool2d(1))
    blocks.add_module("flat", nn.Flatten())
    how = resize or ("tf1" if preprocessing == "published" else "bilinear")
    return Inception(_TF(blocks, preprocessing, how, rounded), int(layer), digest)


def inception_torchvision(
    weights: str = "",
    seed: int = 0,
    download: bool = False,
    sha256: str = "",
    preprocessing: Preprocessing = "published",
    resize: Resize | None = None,
    rounded: bool = False,
) -> Inception:
    """Torchvision's Inception v3, 2048 pooled features; options as for `inception_tf`.

    resize: by default as published (antialias), for "unit" bilinear.
    """
    from torchvision.models import inception_v3

    with torch.random.fork_rng(devices=[]):  # its default initialisation draws global numbers
        network = inception_v3(
            weights=None, aux_logits=False, init_weights=False, transform_input=False
        )
    digest = checkpoints.load(
        network,
        checkpoints.TORCHVISION_INCEPTION,
        weights,
        seed,
        download,
        sha256,
        keep=lambda key: not key.startswith("AuxLogits."),
    )
    network.fc = nn.Identity()
    how = resize or ("antialias" if preprocessing == "published" else "bilinear")
    return Inception(_Torchvision(network, preprocessing, how, rounded), 2048, digest)


def _torch_fidelity_graph() -> nn.Module:
    """torch-fidelity's network before any weights are loaded.

    Its constructor insists on loading a checkpoint: it is given an empty one, from memory.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Graph(FeatureExtractorInceptionV3):  # type: ignore[misc]
        built = False

        def load_state_dict(self, state: dict[str, Tensor]) -> object:
            return super().load_state_dict(state) if self.built else None

    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with torch.random.fork_rng(devices=[]):  # its default initialisation draws global numbers
        graph: nn.Module = Graph("graph", ["2048"], feature_extractor_weights_path=empty)
    graph.built = True  # type: ignore[assignment]
    return graph


def _cropped(x: Tensor) -> Tensor:
    """The central 299 x 299 pixels, rounding like torchvision's CenterCrop."""
    height, width = x.shape[-2:]
    top, left = round((height - SIDE) / 2), round((width - SIDE) / 2)
    return F.pad(x, (-left, left + SIDE - width, -top, top + SIDE - height))
