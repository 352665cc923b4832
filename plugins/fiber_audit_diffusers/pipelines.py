"""Load what a user names, and recognise its family by the class of its denoiser."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fiber_audit import UsageError, WeightsError
from fiber_audit.loading import hub, library

from .family import Family, Parts

FAMILIES = {
    "UNet2DModel": "unet:UNet",
    "UNet2DConditionModel": "latent_text:LatentText",
    "DiTTransformer2DModel": "dit:DiT",
    "SD3Transformer2DModel": "sd3:SD3",
    "FluxTransformer2DModel": "flux:Flux",
}
"""Class of a denoiser -> the module and class that calls it."""
DENOISERS = ("transformer", "unet")
AUTOENCODERS = ("vae", "vqvae")
IDLE = ("safety_checker", "feature_extractor", "image_encoder")
"""Components that draw nothing: they are not loaded."""


def family_of(index: Mapping[str, Any], model: str) -> type[Family]:
    """The family of a pipeline, from its model_index.json.

    Raises:
        UsageError: none is known for its denoiser.
    """
    kinds = [str(index[name][1]) for name in DENOISERS if name in index]
    for kind in kinds:
        if kind in FAMILIES:
            module, _, name = FAMILIES[kind].partition(":")
            found: type[Family] = getattr(importlib.import_module(f".{module}", __package__), name)
            return found
    denoiser = kinds[0] if kinds else "no unet and no transformer"
    raise UsageError(
        f"model = {model!r}: a {index['_class_name']} with {denoiser}; known are pipelines with "
        f"{', '.join(FAMILIES)}."
    )


def index_of(model: str, revision: str = "", download: bool = False) -> dict[str, Any]:
    """The model_index.json of a pipeline; for a folder of one UNet2DModel, what it would say.

    Raises:
        WeightsError: there is neither.
    """
    if Path(model).is_dir() and not (Path(model) / "model_index.json").is_file():
        unet, scheduler = _bare(Path(model))
        kind = json.loads((unet / "config.json").read_text())["_class_name"]
        stepper = json.loads((scheduler / "scheduler_config.json").read_text())["_class_name"]
        bare = {"unet": ["diffusers", kind], "scheduler": ["diffusers", stepper]}
        return {"_class_name": "folder", **bare}
    from diffusers import DiffusionPipeline

    with hub(model, download):
        return dict(
            DiffusionPipeline.load_config(
                model, revision=revision or None, local_files_only=not download
            )
        )


def load(
    model: str,
    index: Mapping[str, Any],
    dtypes: Mapping[str, str],
    revision: str = "",
    download: bool = False,
) -> Parts:
    """The components of a pipeline, on the CPU.

    dtypes: component -> the type of its weights, say "float32"; "default" for those not named.

    Raises:
        WeightsError: weights, or a library that they need, are missing.
    """
    import diffusers
    import torch
    from diffusers.utils import is_accelerate_available

    types = {name: getattr(torch, dtype) for name, dtype in dtypes.items()}
    more: dict[str, Any] = {
        "local_files_only": not download,
        "use_safetensors": True,
        "low_cpu_mem_usage": is_accelerate_available(),
    }
    if Path(model).is_dir() and not (Path(model) / "model_index.json").is_file():
        unet, scheduler = _bare(Path(model))
        with hub(model, download), _quiet():
            network = getattr(diffusers, index["unet"][1]).from_pretrained(
                unet, **_typed(types["default"]), **more
            )
            stepper = getattr(diffusers, index["scheduler"][1]).from_pretrained(scheduler)
        return Parts(model, {"unet": network, "scheduler": stepper})
    if any(isinstance(of, list) and of[0] == "transformers" for of in index.values()):
        library("transformers", "hub")
    more |= {name: None for name in IDLE if name in index}
    if "requires_safety_checker" in index:
        more["requires_safety_checker"] = False
    with hub(model, download), _quiet():
        pipeline = diffusers.DiffusionPipeline.from_pretrained(
            model, revision=revision or None, **_typed(types), **more
        )
    for name in (*DENOISERS, *AUTOENCODERS):
        part, wanted = pipeline.components.get(name), types.get(name, types["default"])
        if part is not None and part.dtype != wanted:
            part.to(wanted)  # some loaders keep the checkpoint's type
    return Parts(model, pipeline.components, pipeline)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the bar of diffusers, and its warnings of entries that a config has too many."""
    from diffusers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def _bare(folder: Path) -> tuple[Path, Path]:
    """The folders of a network and of its scheduler, where there is no pipeline."""
    for unet, scheduler in (("unet", "scheduler"), (".", "scheduler"), (".", ".")):
        found = folder / unet, folder / scheduler
        if (found[0] / "config.json").is_file() and (found[1] / "scheduler_config.json").is_file():
            return found
    raise WeightsError(
        f"{folder}: holds no model_index.json, and no unet/config.json with "
        f"scheduler/scheduler_config.json; save it with save_pretrained."
    )


def _typed(dtype: object) -> dict[str, object]:
    """The argument that sets the type of weights: its name has changed."""
    import diffusers
    from packaging.version import Version

    word = "dtype" if Version(diffusers.__version__) >= Version("0.42") else "torch_dtype"
    return {word: dtype}
