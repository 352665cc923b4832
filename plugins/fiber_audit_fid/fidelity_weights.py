"""Where torch-fidelity's own networks have their weights from; nothing is fetched unless asked.

torch-fidelity downloads what is not in torch's cache. So the files are looked for before it is let
loose, by the names under which it would find them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch_fidelity import feature_extractor_clip as clip
from torch_fidelity import feature_extractor_dinov2 as dinov2
from torch_fidelity import feature_extractor_inceptionv3 as inceptionv3
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16

from fiber_audit import WeightsError
from fiber_audit.loading import read_tensors

from .checkpoints import UNREADABLE, cache, digest_of

DINOV2 = "https://dl.fbaipublicfiles.com/dinov2"


def constructed(
    kind: type[FeatureExtractorBase], name: str, layer: str, weights: str, download: bool
) -> FeatureExtractorBase:
    """One of torch-fidelity's extractors with its weights.

    Raises:
        WeightsError: the weights are absent, or not those of this network.
    """
    files = {Path(weights).expanduser(): ""} if weights else published(kind, name)
    for path, url in files.items():
        if path.is_file():
            digest_of(path)  # refuses what is not to be read
            if weights:
                read_tensors(path)  # torch-fidelity would run what code a file holds
        elif not path.is_dir() and (weights or not download):
            raise WeightsError(
                f"weights = {weights!r}: no such file; give a checkpoint of {name}."
                if weights
                else f"torch-fidelity {name}: its weights are absent; put {url} at {path}, or set "
                "weights to its path, or set download = true to fetch it."
            )
    read = weights or ", ".join(map(str, files)) or "its own files"
    try:
        return kind(
            name,
            [layer],
            feature_extractor_weights_path=next(iter(files)) if weights else None,
            verbose=False,
        )
    except UNREADABLE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"torch-fidelity {name} cannot be made from {read} ({type(error).__name__}: {reason}); "
            "give a checkpoint of that network."
        ) from error


def published(kind: type[FeatureExtractorBase], name: str) -> dict[Path, str]:
    """What a network of torch-fidelity reads from torch's cache, and the url of each.

    Empty for the networks that others registered.
    """
    urls: dict[type[Any], Any] = {
        inceptionv3.FeatureExtractorInceptionV3: _inception,
        FeatureExtractorVGG16: _vgg16,
        clip.FeatureExtractorCLIP: _clip,
        dinov2.FeatureExtractorDinoV2: _dinov2,
    }
    found: dict[Path, str] = urls[kind](name) if kind in urls else {}
    return found


def _inception(name: str) -> dict[Path, str]:
    return _file(inceptionv3.URL_INCEPTION_V3)


def _vgg16(name: str) -> dict[Path, str]:
    from torchvision.models import VGG16_Weights

    return _file(VGG16_Weights.IMAGENET1K_V1.url)


def _clip(name: str) -> dict[Path, str]:
    if name not in clip.MODEL_URLS:  # the class under a name of somebody else's
        return {}
    return {cache() / f"{name}-{clip.MODEL_METADATA[name]['hash']}.pt": clip.MODEL_URLS[name]}


def _dinov2(name: str) -> dict[Path, str]:
    if name not in dinov2.MODEL_METADATA:
        return {}
    model = dinov2.MODEL_METADATA[name]
    code = Path(torch.hub.get_dir()) / "facebookresearch_dinov2_main"
    return {
        code: "https://github.com/facebookresearch/dinov2",
        **_file(f"{DINOV2}/{model}/{model}_pretrain.pth"),
    }


def _file(url: str) -> dict[Path, str]:
    return {cache() / url.rpartition("/")[2]: url}
