"""Texture against shape: pictures with the outline of one thing and the surface of another."""

from __future__ import annotations

import re
from typing import Literal

from fiber_audit import DataError
from fiber_audit.contracts import Count, NonNegativeInt

from .folder import Folder
from .labels import coded, legend
from .order import All, shuffled
from .picture_set import OnError, PictureSet
from .resize import Channels, Look, Resize

CLASSES = (
    "airplane", "bear", "bicycle", "bird", "boat", "bottle", "car", "cat", "chair", "clock", "dog",
    "elephant", "keyboard", "knife", "oven", "truck",
)  # fmt: skip
NAME = re.compile(r"([a-z]+)\d+-([a-z]+)\d+")


class CueConflict(PictureSet):
    """The stimuli of Geirhos et al. (ICLR 2019), in the layout of rgeirhos/texture-vs-shape.

    A folder a shape, and in it pictures such as cat/cat1-elephant2.png: a cat's shape with an
    elephant's texture. Labels number the 16 categories in the order of the alphabet.

    Args:
        path: The folder of the stimuli (style-transfer-preprocessed-512 in that repository).
        n: How many, or "all".
        labels: What they name: the shape or the texture. Both are attributes, too.
        agreeing: Keep the stimuli whose shape and texture are of one category: no conflict.
        size: Side, or [height, width]; the published stimuli have 224.
        resize: "crop", "pad" or "squash".
        channels: "rgb", "grey" or "auto".
        on_error: "raise", or "skip" damaged files.
        seed: Which n, and their order.
    """

    classes = CLASSES

    def __init__(
        self,
        path: str,
        n: All = "all",
        labels: Literal["shape", "texture"] = "shape",
        agreeing: bool = False,
        size: Count | tuple[Count, Count] = 224,
        resize: Resize = "crop",
        channels: Channels = "rgb",
        on_error: OnError = "raise",
        seed: NonNegativeInt = 0,
    ) -> None:
        folder = Folder.at(path)
        cues = {name: _cues(folder, name) for name in folder.pictures()[0]}
        kept = [name for name, (shape, texture) in cues.items() if agreeing or shape != texture]
        what = f"stimuli in {folder.root}"
        look = Look(size, resize, channels)
        super().__init__(folder, shuffled(kept, seed), n, look, on_error, what)
        self.shapes = coded([cues[name][0] for name in self.ids], CLASSES)
        self.textures = coded([cues[name][1] for name in self.ids], CLASSES)
        self.labels = self.shapes if labels == "shape" else self.textures
        left = len(cues) - len(kept)
        agree = {"no conflict": f"{left} stimuli whose cues agree are left out"} if left else {}
        self.facts = {**self.facts, **agree, "labels": f"{labels}: {legend(CLASSES)}"}


def _cues(folder: Folder, name: str) -> tuple[str, str]:
    """Shape and texture."""
    found = NAME.fullmatch(name.rpartition("/")[2].partition(".")[0])
    if not found or not {*found.groups()} <= {*CLASSES}:
        raise DataError(
            f"{folder.place(name)}: names no shape and texture; stimuli are called as in "
            f"cat1-elephant2.png, of: {', '.join(CLASSES)}."
        )
    return found[1], found[2]
