"""`timm`: any network of timm, with timm's own preprocessing of it.

    [extractors.dinov2]
    use = "timm"
    model = "vit_small_patch14_dinov2.lvd142m"
    pretrained = true

Nothing is fetched unless download = true; a file of weights is loaded by its path.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from fiber_audit import UnknownName, WeightsError
from fiber_audit.contracts import Count, NonNegativeInt
from fiber_audit.loading import hub, library, versions

from .checkpoints import fill, read
from .images import Dtype, ImageExtractor
from .layers import Layer
from .names import nearest
from .pooling import FLAT_LIMIT, FoundChannels, Pool, Pooling
from .steps import Steps
from .tokens import tokens_of_timm

LOCAL = "local-dir:"


class TimmExtractor(ImageExtractor):
    """A network of timm without its classifier.

    Args:
        model: timm's name, say "resnet50.a1_in1k"; "hf-hub:owner/name" is a repository of the hub,
            "local-dir:path" a folder that timm saved, config.json and weights.
        weights: a checkpoint (.safetensors, or a state_dict) of timm's own format; its classifier,
            whatever it tells apart, is left out. "random" draws weights from the seed.
        pretrained: take the published weights, from the hub's cache.
        download: fetch them if the cache lacks them.
        seed: of random weights.
        layer: any module of the network; "" is what timm gives to the classifier.
        pool: from maps or tokens to features; "auto" leaves the last layer to timm, and takes the
            mean of any other, class and register tokens left out where it has them.
        channels: "last" where the layer returns (n, h, w, c), "first" for (n, c, h, w); "auto"
            asks timm about the last layer, and sees it in the shape of any other.
        flat_limit: features that pool = "flatten" may give.
        size: side of the input where it is not the published one; 0 is that one.
        dtype: of the network; features are float32.

    Raises:
        UnknownName: timm has no such model, or the model no such layer.
        UsageError: the layer has no class token, or its shape does not tell where channels are.
        WeightsError: no weights are named, or they are absent or not this model's.
    """

    def __init__(
        self,
        *,
        model: str,
        weights: str = "",
        pretrained: bool = False,
        download: bool = False,
        seed: NonNegativeInt = 0,
        layer: str = "",
        pool: Pool = "auto",
        channels: FoundChannels = "auto",
        flat_limit: Count = FLAT_LIMIT,
        size: NonNegativeInt = 0,
        dtype: Dtype = "float32",
    ) -> None:
        timm = library("timm", "hub")
        _refuse_unknown(timm, model)
        published = pretrained or (not weights and model.startswith(LOCAL))
        if not (published or weights):
            raise WeightsError(
                f"timm {model}: no weights are named; set pretrained = true, or weights to a "
                'checkpoint, or weights = "random".'
            )
        with hub(model, download), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = timm.create_model(model, pretrained=published, num_classes=0)
        if weights and weights != "random":
            _fill(network, weights, model)
        if size and hasattr(network, "set_input_size"):  # others take any
            network.set_input_size(img_size=size)
        data = timm.data.resolve_model_data_config(network, args={"img_size": size or None})
        transform = timm.data.create_transform(**data, is_training=False)
        steps = Steps(transform.transforms)
        super().__init__(
            _part(network, layer, pool),
            name=f"timm {model}",
            tensor_path=steps.of_tensor,
            library_path=steps.of_picture,
            preprocessing=repr(transform),
            pool=Pooling(
                pool,
                _channels(network, layer) if channels == "auto" else channels,
                flat_limit=flat_limit,
                **tokens_of_timm(network, pool),
            ),
            dtype=dtype,
            facts={"versions": versions("timm", "torch", "torchvision")},
            identity=("timm", model, layer, str(size)),
        )


def _refuse_unknown(timm: ModuleType, model: str) -> None:
    known = ":" in model or timm.is_model(model)
    _, _, tag = model.partition(".")
    if known and (":" in model or not tag or timm.models.is_model_pretrained(model)):
        return
    names = timm.list_models(pretrained=bool(tag))
    raise UnknownName(f"model = {model!r}: timm has no such model. {nearest(model, names)}")


def _fill(network: nn.Module, weights: str, model: str) -> None:
    """Load a checkpoint, whatever its classifier told apart."""
    heads = getattr(network, "pretrained_cfg", {}).get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    own = network.state_dict()
    state = {
        key: value
        for key, value in read(Path(weights).expanduser()).items()
        if key in own or not key.startswith(tuple(f"{head}." for head in heads))
    }
    fill(network, state, f"timm {model}")


def _part(network: Any, layer: str, pool: Pool) -> nn.Module:
    if layer:
        return Layer(network, layer)
    return network if pool == "auto" else _Unpooled(network)


def _channels(network: Any, layer: str) -> FoundChannels:
    if layer:  # which may be another way round than the last one
        return "auto"
    return "last" if str(getattr(network, "output_fmt", "")).endswith("NHWC") else "first"


class _Unpooled(nn.Module):
    """The last tokens or maps, before timm pools them."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.inner = network

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.inner.forward_features(x)
        return found
