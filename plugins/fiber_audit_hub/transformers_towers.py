"""`transformers`: the vision tower of a model of Hugging Face, with the processor of its folder.

[extractors.dinov2]
use = "transformers"
model = "facebook/dinov2-base"
download = true
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from fiber_audit import UnknownName, WeightsError, suggestion
from fiber_audit.loading import hub, library, versions

from .images import Dtype, ImageExtractor
from .patches import PatchProcessor, PatchTower
from .towers import Layer, Pool, Tower
from .transformers_pixels import Processor

TOWERS = ("vision_model", "vision_tower", "visual", "vision_encoder", "image_encoder")
"""Where models of pictures and words keep the network that sees."""
TRIVIA = ("architectures", "dtype", "torch_dtype", "transformers_version", "_name_or_path")
"""Of a configuration, what changes no features."""


class TransformersExtractor(ImageExtractor):
    """The vision tower of a model that transformers loads by itself; code of the hub is not run.

    Tested with DINOv2, DINOv3, CLIP, SigLIP, ViT-MAE (which sees all patches, unshuffled), ViT,
    ConvNeXt V2, ResNet and Qwen2-VL.

    Args:
        model: a folder that save_pretrained wrote, or a name of the hub.
        revision: branch, tag or commit of the hub; "" is the main branch.
        download: fetch what the hub's cache lacks.
        tower: the module that sees, by its name within the model; "auto" finds the usual ones.
        pool: "pooler" is the model's own pooled output (of Qwen2-VL, the mean of the tokens that
            its language model reads), "projection" that in the space shared with texts, "cls" the
            class token, "mean" the mean of all patches, class and register tokens left out. "auto"
            is the first there is of "pooler", "cls" and "mean".
        layer: a hidden state, as transformers counts them: 0 are the embeddings, -1 is the last;
            "" is the model's output.
        dtype: of the network; features are float32.

    Raises:
        WeightsError: the model is absent, or lacks weights, or is no model of pictures.
        UsageError: the model has no such pool or layer.
    """

    def __init__(
        self,
        *,
        model: str,
        revision: str = "",
        download: bool = False,
        tower: str = "auto",
        pool: Pool = "auto",
        layer: Layer = "",
        dtype: Dtype = "float32",
    ) -> None:
        transformers = library("transformers", "hub")
        model = str(Path(model).expanduser()) if model.startswith("~") else model
        named = {"revision": revision or None, "trust_remote_code": False}
        with hub(model, download), _quiet(transformers), torch.random.fork_rng(devices=[]):
            whole, info = transformers.AutoModel.from_pretrained(
                model, dtype="auto", output_loading_info=True, **named
            )
            name, seen = _tower(whole, tower)
            patches = PatchTower.fits(seen)
            how = PatchProcessor if patches else Processor
            processor = how.load(transformers, model, **named)
        _refuse_unlearned({*info["missing_keys"]}, name, seen, model)
        projection = getattr(whole, "visual_projection", None) if pool == "projection" else None
        kind = PatchTower if patches else Tower
        super().__init__(
            kind(seen, pool, layer, projection).float(),
            name=f"transformers {model}",
            tensor_path=processor.of_tensor,
            library_path=processor.of_picture,
            preprocessing=processor.words,
            dtype=dtype,
            facts={
                "versions": versions("transformers", "torch", "torchvision"),
                "tower": type(seen).__name__,
                **_commit(model, revision),
            },
            identity=("transformers", pool, str(layer), processor.settings, _settings(seen)),
        )


def _tower(model: Any, name: str) -> tuple[str, Any]:
    """The module that sees, and its name; "" is the model itself."""
    if name == "auto":
        name = next((n for n in TOWERS if isinstance(getattr(model, n, None), nn.Module)), "")
    try:
        return name, model.get_submodule(name)
    except AttributeError as error:
        known = [child for child, _ in model.named_children()]
        raise UnknownName(
            f"tower = {name!r}: {type(model).__name__} has no such module. "
            f"{suggestion(name, known)}"
        ) from error


def _refuse_unlearned(missing: set[str], tower: str, seen: Any, model: str) -> None:
    """Weights that a checkpoint lacks are random: a pooler goes without, all else is refused."""
    prefix = f"{tower}." if tower else ""
    lacking = {key for key in missing if key.startswith((prefix, "visual_projection."))}
    if lacking and all(key.startswith(f"{prefix}pooler.") for key in lacking):
        seen.pooler = None
    elif lacking:
        raise WeightsError(
            f"{model}: {len(lacking)} weights of {type(seen).__name__} are not in its checkpoint "
            f"(say {min(lacking)}), so it is of another kind than its config.json tells; give a "
            "folder whose files belong together."
        )


def _commit(model: str, revision: str) -> dict[str, str]:
    """Which commit of a repository was read: the name of its folder in the cache."""
    if Path(model).is_dir():
        return {}
    find = library("huggingface_hub", "hub").try_to_load_from_cache
    found = find(model, "config.json", revision=revision or None)
    return {"revision": Path(found).parent.name} if isinstance(found, str) else {}


def _settings(tower: Any) -> str:
    settings = {k: v for k, v in tower.config.to_diff_dict().items() if k not in TRIVIA}
    return json.dumps(settings, sort_keys=True, default=str)


@contextmanager
def _quiet(transformers: ModuleType) -> Iterator[None]:
    """Without its bars and its report of weights that were left out; restored afterwards."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
