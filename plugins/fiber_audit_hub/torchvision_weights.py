"""Weights that torchvision published: in torch's cache, or fetched if that was asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torchvision import models

from fiber_audit import UnknownName, WeightsError

from .checkpoints import State, read
from .names import nearest


class Published:
    """What torchvision has of a classifier.

    Raises:
        UnknownName: torchvision has no such classifier.
    """

    def __init__(self, model: str) -> None:
        names = models.list_models(module=models)
        if model not in names:
            raise UnknownName(
                f"model = {model!r}: torchvision has no such classifier. {nearest(model, names)}"
            )
        self.model = model
        self.all: dict[str, Any] = {**models.get_model_weights(model).__members__}
        """Name of weights, "DEFAULT" among them -> torchvision's record of them."""

    def preset(self, name: str) -> Any:
        """The preprocessing of weights.

        Raises:
            UnknownName: there are no such weights.
        """
        if name not in self.all:
            raise UnknownName(
                f"preset = {name!r}: torchvision has no such weights of {self.model}. "
                f"{nearest(name, self.all)}"
            )
        return self.all[name].transforms()

    def state(self, weights: str, download: bool) -> State:
        """Weights by their name, or from a file of one's own.

        Raises:
            UnknownName: there are no such weights, and it is no path either.
            WeightsError: they are absent, or cannot be read.
        """
        if weights not in self.all:
            path = Path(weights).expanduser()
            if not path.is_file() and "/" not in weights and "." not in weights:
                raise UnknownName(
                    f"weights = {weights!r}: neither a file nor torchvision's weights of "
                    f"{self.model}. {nearest(weights, self.all)}"
                )
            return read(path)
        url = self.all[weights].url
        path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
        if not path.is_file():
            if not download:
                raise WeightsError(
                    f"torchvision {self.model} {weights}: its weights are absent; put {url} at "
                    f"{path}, or set download = true to fetch it."
                )
            _fetch(url, path)
        # densenets were saved when names of modules could hold a dot
        return {
            re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", key): value
            for key, value in read(path).items()
        }


def _fetch(url: str, path: Path) -> None:
    """Download, and compare with the digest in the name of the file."""
    prefix = re.search(r"-([0-9a-f]{8,})\.", path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(
            url, str(path), hash_prefix=prefix[1] if prefix else None, progress=False
        )
    except Exception as error:  # no net, no room, another file
        raise WeightsError(
            f"{url} could not be fetched ({type(error).__name__}: {error}); put it at {path}."
        ) from error
