"""Where a model is looked for on this machine, and what is wrong with the files there."""

from __future__ import annotations

import json
import re
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LFS = b"version https://git-lfs.github.com/spec/"
"""How a Git LFS pointer begins, which stands in a checkout for a file that was not fetched."""
PICKLE = b"\x80"
"""How files begin that torch saved before it packed them as zip."""
SCHEME = re.compile("^(local-dir|hf-hub|hf_hub):")
"""What timm and open_clip write before a folder or a name of the hub."""
WEIGHTS = re.compile(r"\.(safetensors|bin|pt|pth|ckpt|onnx)$")


@dataclass(frozen=True)
class Place:
    """A model by its name, or by its path.

    local: the file or folder that it is, or None. cache: where Hugging Face keeps what was fetched.
    switched_off: the user's own environment keeps Hugging Face's libraries off the network.
    """

    name: str
    is_path: bool
    local: Path | None
    cache: Path
    switched_off: bool

    @classmethod
    def of(cls, model: str) -> Place:
        """Read a name as the libraries do: what exists is a path."""
        from huggingface_hub import constants

        name = SCHEME.sub("", model)
        path = Path(name)
        with suppress(RuntimeError):  # the home of nobody
            path = path.expanduser()
        is_path = (
            model.startswith("local-dir:")
            or name.startswith(("/", ".", "~"))
            or name.count("/") > 1
            or bool(WEIGHTS.search(name))
        )
        local = path if path.exists() else None
        name, cache = name.partition("@")[0], Path(constants.HF_HUB_CACHE)
        return cls(name, is_path, local, cache, constants.HF_HUB_OFFLINE)

    @property
    def cached(self) -> Path | None:
        """Its folder in the cache, if it has one."""
        folder = self.cache / f"models--{self.name.replace('/', '--')}"
        return folder if folder.is_dir() else None

    @property
    def absent(self) -> str:
        """Begin a sentence about what is not there."""
        if self.local is not None:
            return f"what it refers to is not in the cache {self.cache}"
        if self.cached is not None:
            return f"not all of it, or not of this revision, is in the cache {self.cached}"
        return f"not in the cache {self.cache}"


def trouble_in(place: Path | None) -> str | None:
    """A sentence about the first file, in order of names, that is no weights or no JSON."""
    if place is None:
        return None
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    for path in files:
        if path.is_file() and (sentence := _trouble(path)):
            return sentence
    return None


def _trouble(path: Path) -> str | None:
    if WEIGHTS.search(path.name):
        with path.open("rb") as file:
            head = file.read(len(LFS))
        if head == LFS:
            return f"{path} is a Git LFS pointer, not the weights; fetch them with: git lfs pull"
        pickled = path.suffix not in (".safetensors", ".onnx")
        if pickled and not (head.startswith(PICKLE) or zipfile.is_zipfile(path)):
            return f"{path} is damaged or cut short (it does not read as torch saves); replace it."
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt"):
                return None
        except (SafetensorError, OSError) as error:
            return f"{path} is damaged or cut short ({error}); replace it."
    if path.suffix == ".json":
        try:
            json.loads(path.read_text("utf-8"))
        except ValueError as error:
            return f"{path} is no JSON ({error}); replace it."
    return None
