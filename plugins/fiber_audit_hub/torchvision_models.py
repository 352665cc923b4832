"""`torchvision`: any classifier of torchvision, with the preprocessing of its weights.

    [extractors.resnet]
    use = "torchvision"
    model = "resnet50"
    weights = "IMAGENET1K_V2"

Nothing is fetched unless download = true; a file of weights is loaded by its path.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor, nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names
from torchvision.transforms import functional

from fiber_audit import UnknownName, UsageError
from fiber_audit.contracts import Count, NonNegativeInt
from fiber_audit.loading import versions

from .checkpoints import State, fill
from .images import Dtype, ImageExtractor
from .layers import tensor_of
from .names import nearest
from .pooling import FLAT_LIMIT, FoundChannels, Pool, Pooling
from .tokens import Tokens
from .torchvision_weights import Published


class TorchvisionExtractor(ImageExtractor):
    """A classifier of torchvision without its last layer, or up to any node of its graph.

    Args:
        model: torchvision's name, say "convnext_tiny".
        weights: one of the model's published weights, say "IMAGENET1K_V1" or "DEFAULT"; or the path
            of a checkpoint (.safetensors, or a state_dict) with any number of classes; "random"
            draws them from the seed. Of Inception and GoogLeNet only published weights have
            transform_input on, as torchvision makes them.
        download: fetch published weights if torch's cache lacks them.
        preset: the published weights whose preprocessing is used with a checkpoint of one's own.
        seed: of random weights.
        layer: a node of `torchvision.models.feature_extraction`; "" is what the last linear layer
            is given.
        pool: from maps or tokens to features; "auto" is the mean, the class token left out
            where the layer has it.
        channels: "last" where the layer returns (n, h, w, c), as blocks of a Swin do, "first" for
            (n, c, h, w); "auto" sees it in the shape.
        flat_limit: features that pool = "flatten" may give.
        dtype: of the network; features are float32.

    Raises:
        UnknownName: torchvision has no such model, or the model no such layer or weights.
        UsageError: the layer has no class token, or its shape does not tell where channels are.
        WeightsError: the weights are absent or not this model's.
    """

    def __init__(
        self,
        *,
        model: str,
        weights: str,
        download: bool = False,
        preset: str = "DEFAULT",
        seed: NonNegativeInt = 0,
        layer: str = "",
        pool: Pool = "auto",
        channels: FoundChannels = "auto",
        flat_limit: Count = FLAT_LIMIT,
        dtype: Dtype = "float32",
    ) -> None:
        published = Published(model)
        transforms = published.preset(weights if weights in published.all else preset)
        state = None if weights == "random" else published.state(weights, download)
        network = _network(model, state, seed)
        told = _input_of(network, weights in published.all)
        preprocessing = Preset(transforms)
        super().__init__(
            _Node(network, layer) if layer else _headless(network, model),
            name=f"torchvision {model}",
            tensor_path=preprocessing.of_tensor,
            library_path=preprocessing.of_picture,
            preprocessing=f"{transforms!r} antialias={transforms.antialias}",
            pool=Pooling(pool, channels, flat_limit=flat_limit, **_tokens(network)),
            dtype=dtype,
            facts={"versions": versions("torchvision", "torch"), **told},
            identity=("torchvision", model, layer, *told.values()),
        )


class Preset:
    """The preprocessing of published weights: on pictures as it is, on tensors clamped in between.

    It is one module; with mean 0 and std 1 it gives what is resized and cropped.
    """

    def __init__(self, preset: Any) -> None:
        self.preset, self.resized = preset, copy.copy(preset)
        self.resized.mean, self.resized.std = [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]

    def of_tensor(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) in [0, 1] -> the network's input, differentiable."""
        found: Tensor = self.resized(x).clamp(0, 1)
        return functional.normalize(found, self.preset.mean, self.preset.std)

    def of_picture(self, picture: Image) -> Tensor:
        """A picture -> the network's input, (1, 3, h, w)."""
        found: Tensor = self.preset(picture)
        return found[None]


def _network(model: str, state: State | None, seed: int) -> nn.Module:
    """The model with as many classes as the weights have."""
    quick = {"init_weights": False} if model in ("googlenet", "inception_v3") else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = models.get_model(model, weights=None, **quick)
        if state is not None:
            last = [*network.state_dict()][-1]
            classes = len(state[last]) if last in state else 0
            if classes and classes != len(network.state_dict()[last]):
                network = models.get_model(model, weights=None, num_classes=classes, **quick)
    if state is not None:
        fill(network, state, f"torchvision {model}")
    return network.eval()


def _input_of(network: Any, published: bool) -> dict[str, str]:
    """Set what Inception and GoogLeNet do to their input, as torchvision does; tell of it.

    All published weights of these two take it with another mean and std; one's own need not.
    """
    if not hasattr(network, "transform_input"):
        return {}
    network.transform_input = published
    return {"transform_input": str(published).lower()}


def _tokens(network: Any) -> Tokens:
    if not hasattr(network, "class_token"):
        return {"prefix": 0, "patches": 0}
    return {"prefix": 1, "patches": (network.image_size // network.patch_size) ** 2}


def _headless(network: nn.Module, model: str) -> nn.Module:
    linear = [name for name, m in network.named_modules() if isinstance(m, nn.Linear)]
    last = [*network.named_parameters()][-1][0].rpartition(".")[0]
    if last not in linear:
        raise UsageError(f"torchvision {model} does not end in a linear layer: name a layer.")
    parent, _, child = last.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return network


class _Node(nn.Module):
    """The network up to a node of its graph."""

    def __init__(self, network: nn.Module, node: str) -> None:
        super().__init__()
        try:
            self.inner = create_feature_extractor(network, [node])
        except ValueError as error:
            _, names = get_graph_node_names(network)
            raise UnknownName(f"layer = {node!r}: no such node. {nearest(node, names)}") from error

    def forward(self, x: Tensor) -> Tensor:
        return tensor_of(self.inner(x))
