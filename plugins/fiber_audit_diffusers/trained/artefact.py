"""The folder that a fit leaves: diffusers' own layout, so that others can read it, too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import diffusers
import torch
from diffusers.models.modeling_utils import ModelMixin
from safetensors import SafetensorError

from fiber_audit import DiskError
from fiber_audit.fitting import write_file

from .networks import FOLDERS
from .objective import Objective
from .recipe import Recipe
from .space import Pixels, Space

STAGE = ".writing"


def write(recipe: Recipe, network: ModelMixin, objective: Objective, space: Space) -> None:
    """Write network and scheduler into a folder beside, and then put each in its place.

    `training.json` does not say finished until all of it is there.

    Raises:
        DiskError: there is no room.
    """
    stage = recipe.folder / STAGE
    name, kind = FOLDERS[recipe.network]
    scheduler = objective.scheduler()
    try:
        shutil.rmtree(stage, ignore_errors=True)
        network.to("cpu", memory_format=torch.contiguous_format)
        network.save_pretrained(stage / name, safe_serialization=True)
        scheduler.save_pretrained(stage / "scheduler")
        space.save(stage)
        if serves_others(recipe, space):
            index = {
                "_class_name": "DDPMPipeline",
                "_diffusers_version": diffusers.__version__,
                "scheduler": ["diffusers", type(scheduler).__name__],
                name: ["diffusers", kind.__name__],
            }
            write_file(stage / "model_index.json", json.dumps(index, indent=2) + "\n")
        for part in sorted(stage.iterdir()):
            _put(part, recipe.folder / part.name)
        stage.rmdir()
    except (OSError, SafetensorError) as error:
        raise DiskError(f"{recipe.path}: cannot be written ({error}); make room.") from error


def serves_others(recipe: Recipe, space: Space) -> bool:
    """Whether diffusers' own DDPMPipeline draws the same pictures, but for the rim."""
    return recipe.network == "unet" and isinstance(space, Pixels) and space.patch == 1


def _put(part: Path, place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    part.replace(place)
