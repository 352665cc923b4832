"""The configuration and the weights of a model of open_clip: a folder's, the hub's, or its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from fiber_audit import UnknownName, UsageError, WeightsError

from .names import nearest

LOCAL, REMOTE, CONFIG = "local-dir:", "hf-hub:", "open_clip_config.json"


def model_files(
    open_clip: ModuleType, model: str, pretrained: str
) -> tuple[Mapping[str, Any], Path]:
    """The configuration of a model, and its file of weights; within `hub`.

    Raises:
        UnknownName: open_clip has no such model or tag.
        UsageError: the weights were trained with another activation, or are named twice.
        WeightsError: the folder is none of open_clip.
    """
    if model.startswith((LOCAL, REMOTE)) and pretrained:
        raise UsageError(
            f"pretrained = {pretrained!r}: {model} has weights of its own; leave pretrained out."
        )
    if model.startswith(LOCAL):
        return _of_folder(Path(model.removeprefix(LOCAL)))
    if model.startswith(REMOTE):
        fetch, name = open_clip.pretrained.download_pretrained_from_hf, model.removeprefix(REMOTE)
        return _read(Path(fetch(name, filename=CONFIG))), Path(fetch(name))
    config = open_clip.get_model_config(model)
    if config is None:
        raise UnknownName(
            f"model = {model!r}: open_clip has no such model. "
            f"{nearest(model, open_clip.list_models())}"
        )
    if Path(pretrained).is_file():
        return config, Path(pretrained)
    tags = open_clip.list_pretrained_tags_by_model(model)
    if pretrained not in tags:
        raise UnknownName(
            f"pretrained = {pretrained!r}: {model} needs a file of weights, or a tag of "
            f"open_clip. {nearest(pretrained, tags)}"
        )
    published = open_clip.get_pretrained_cfg(model, pretrained)
    if bool(published.get("quick_gelu")) != bool(config.get("quick_gelu")):
        raise UsageError(
            f"pretrained = {pretrained!r}: these weights were trained with "
            f"{'QuickGELU' if published.get('quick_gelu') else 'GELU'}, which {model} does not "
            "have; name the model with, or without, -quickgelu."
        )
    return config, Path(open_clip.download_pretrained(published))


def _of_folder(folder: Path) -> tuple[Mapping[str, Any], Path]:
    if folder.is_dir() and not (folder / CONFIG).is_file():
        raise WeightsError(
            f"{folder} has no {CONFIG}, so it is no folder of open_clip; give one that "
            "open_clip's save_for_hf wrote."
        )
    config = _read(folder / CONFIG)
    files = sorted([*folder.glob("*.safetensors")] or [*folder.glob("*.bin")])
    if not files:
        raise WeightsError(f"{folder} holds no weights; put open_clip_model.safetensors there.")
    return config, min(files, key=lambda file: not file.name.startswith("open_clip"))


def _read(path: Path) -> Mapping[str, Any]:
    config: Mapping[str, Any] = json.loads(path.read_text("utf-8"))["model_cfg"]
    return config
