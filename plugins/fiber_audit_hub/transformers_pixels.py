"""What an image processor of transformers does to a picture, and the same on tensors.

A processor comes in two flavours: one by PIL, which is what checkpoints were made with, and one on
tensors, which is differentiable once it neither rescales nor normalises bytes. Geometry is left to
the second; in between the pixels are clamped, as 8 bits clamp them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL.Image import Image, Resampling
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from fiber_audit import WeightsError

FILES = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True)
class Processor:
    """The image processor of a model's folder.

    pil, tensors: its two flavours, of which some models know one only.
    """

    pil: Any
    tensors: Any

    @classmethod
    def load(cls, transformers: ModuleType, model: str, **named: Any) -> Processor:
        """Read a folder, or a repository of the hub.

        Raises:
            WeightsError: the folder has none; and any exception of transformers.
        """
        folder, auto = Path(model), transformers.AutoImageProcessor
        if folder.is_dir() and not any((folder / name).is_file() for name in FILES):
            raise WeightsError(
                f"{model}: the folder has no {FILES[0]}, which tells how the model sees pictures; "
                "put that of the model there, or write one with save_pretrained of its processor."
            )
        flavours = ("pil", "torchvision")
        return cls(*(auto.from_pretrained(model, backend=name, **named) for name in flavours))

    def of_tensor(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) in [0, 1] -> the network's input, differentiable."""
        found = self.tensors(
            images=x,
            do_rescale=False,
            do_normalize=False,
            input_data_format="channels_first",
            disable_grouping=False,  # all at once
            return_tensors="pt",
        )
        return self.normalised(found["pixel_values"])

    def of_picture(self, picture: Image) -> Tensor:
        """An RGB picture -> the network's input, (1, ...)."""
        found: Tensor = self.pil(images=picture, return_tensors="pt")["pixel_values"]
        return found.float()

    def normalised(self, x: Tensor) -> Tensor:
        """Resized images -> the network's input: clamped, scaled, mean and std."""
        how = self.tensors
        x = x.clamp(0, 1) * (255 * how.rescale_factor if how.do_rescale else 255)
        return F.normalize(x, list(how.image_mean), list(how.image_std)) if how.do_normalize else x

    @property
    def words(self) -> str:
        """The steps, for a reader."""
        how = self.tensors
        told = [type(how).__name__]
        if how.do_resize:
            told.append(f"resize {_side(how.size)} {Resampling(how.resample).name.lower()}")
        if how.do_center_crop:
            told.append(f"crop {_side(how.crop_size)}")
        if how.do_normalize:
            told.append(f"mean {list(how.image_mean)}, std {list(how.image_std)}")
        return ", ".join(told)

    @property
    def settings(self) -> str:
        """All that the processor was told, as strict text."""
        return json.dumps(self.tensors.to_dict(), sort_keys=True, default=str)


def _side(size: Any) -> str:
    return " ".join(f"{name} {value}" for name, value in dict(size).items() if value is not None)
