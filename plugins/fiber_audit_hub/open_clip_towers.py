"""`open-clip`: the image tower of a model of open_clip, with open_clip's own preprocessing.

[extractors.biomedclip]
use = "open-clip"
model = "hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224"
download = true
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.functional import resize

from fiber_audit.loading import hub, library, versions

from .checkpoints import fill, read
from .images import Dtype, ImageExtractor
from .layers import Layer
from .open_clip_files import LOCAL, model_files
from .pooling import FoundChannels, Pool, Pooling
from .steps import Steps
from .tokens import Tokens, tokens_of_timm

NO_TEXT = {"context_length": 1, "vocab_size": 2, "width": 8, "heads": 1, "layers": 1}
"""A tower of texts that costs nothing: the model's own is not needed, and may be of another hub."""
SEES = "visual."
"""What open_clip puts before the names of the image tower's weights."""


class OpenClipExtractor(ImageExtractor):
    """The image embeddings of a model of open_clip; its tower of texts is not read.

    Args:
        model: open_clip's name, say "ViT-B-32"; "hf-hub:owner/name" is a repository of the hub,
            "local-dir:path" a folder with open_clip_config.json and weights.
        pretrained: for a name: a tag of open_clip.list_pretrained(), or a file of weights.
        download: fetch what the caches lack.
        layer: any module of the image tower; "" is the embedding in the space shared with texts.
        pool: of another layer, from tokens or maps to features.
        channels: "last" where that layer returns (n, h, w, c), "first" for (n, c, h, w); "auto"
            sees it in the shape.
        normalize: embeddings of length 1, as retrieval compares them.
        dtype: of the network; features are float32.

    Raises:
        UnknownName: open_clip has no such model, tag or layer.
        UsageError: the layer has no class token, or its shape does not tell where channels are.
        WeightsError: the weights are absent, or not this model's.
    """

    def __init__(
        self,
        *,
        model: str,
        pretrained: str = "",
        download: bool = False,
        layer: str = "",
        pool: Pool = "auto",
        channels: FoundChannels = "auto",
        normalize: bool = False,
        dtype: Dtype = "float32",
    ) -> None:
        open_clip = library("open_clip", "hub")
        model = model.replace(f"{LOCAL}~", f"{LOCAL}{Path.home()}")
        pretrained = str(Path(pretrained).expanduser()) if pretrained else ""
        with hub(model, download), _quiet(), torch.random.fork_rng(devices=[]):
            config, weights = model_files(open_clip, model, pretrained)
            whole, _, transform = open_clip.create_model_and_transforms(
                model, pretrained or None, load_weights=False, text_cfg=NO_TEXT
            )
            state = read(weights)
        seen = whole.visual
        own = {k.removeprefix(SEES): v for k, v in state.items() if k.startswith(SEES)}
        fill(seen, own, f"the image tower of open_clip {model}")
        steps = Steps([_of_both(step) for step in transform.transforms])
        kind = _Normalized if normalize else Pooling
        super().__init__(
            Layer(seen, layer),
            name=f"open_clip {model}",
            tensor_path=steps.of_tensor,
            library_path=steps.of_picture,
            preprocessing=repr(transform),
            pool=kind(pool, channels, **_tokens(seen, pool)),
            dtype=dtype,
            facts={"versions": versions("open_clip_torch", "timm", "torch", "torchvision")},
            identity=("open-clip", layer, _settings(config)),
        )


class _Normalized(Pooling):
    """Features of length 1."""

    def __call__(self, found: Tensor) -> Tensor:
        return F.normalize(super().__call__(found), dim=-1)


def _of_both(step: Any) -> Any:
    """A step that takes pictures and tensors; one of open_clip's asks a picture for its size."""
    if type(step).__name__ != "ResizeKeepRatio":
        return step

    def resized(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return step(x)
        picture = SimpleNamespace(size=(x.shape[-1], x.shape[-2]))
        size = step.get_params(picture, step.size, step.longest)
        return resize(x, size, step.interpolation)

    return resized


def _settings(config: Mapping[str, Any]) -> str:
    """What of a configuration is about pictures."""
    return json.dumps({k: v for k, v in config.items() if k != "text_cfg"}, sort_keys=True)


def _tokens(tower: Any, pool: Pool) -> Tokens:
    if hasattr(tower, "trunk"):
        return tokens_of_timm(tower.trunk, pool)
    if not hasattr(tower, "class_embedding"):
        return {"prefix": 0, "patches": 0}
    high, wide = tower.grid_size
    return {"prefix": 1, "patches": high * wide}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without its logs of weights that it does not read itself.

    They go to the root, which would get a handler that prints unless it has one.
    """
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    root.addFilter(_silent)
    try:
        yield
    finally:
        root.removeFilter(_silent)
        root.removeHandler(handler)


def _silent(record: logging.LogRecord) -> bool:
    return False
