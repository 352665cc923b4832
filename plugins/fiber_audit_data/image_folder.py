"""A folder of pictures as queries."""

from __future__ import annotations

from typing import Literal

from fiber_audit import DataError
from fiber_audit.contracts import Count, NonNegativeInt

from .folder import Folder
from .labels import coded, legend
from .order import All, Part, part_of, shuffled
from .picture_set import OnError, PictureSet
from .pictures import Alpha
from .resize import Channels, Look, Resize


class ImageFolder(PictureSet):
    """Pictures of a folder and all folders within; an id is the path from there.

    Which n, and in which order, hangs on `seed` and each file's own path: a file that is added
    later moves no other one. Hidden files are left out, links to folders are not entered.

    Args:
        path: The folder.
        n: How many pictures, or "all".
        size: Side, or [height, width], in pixels.
        resize: "crop" fills the frame and cuts the rest, "pad" adds black bars, "squash" changes
            the proportions. Bicubic and antialiased.
        channels: "rgb", "grey", or "auto": grey where all n pictures are stored as grey.
        alpha: What shows through transparent pixels; "refuse" makes them an error.
        on_error: "raise", or "skip": damaged files are left out and named in the report. It
            decodes the n pictures once more, at the start.
        labels: "folder" numbers the folders directly within `path`.
        glob: Which files, in small or large letters: "*.png", "train/*"; `*` matches / too.
        part: "held-out" is about a fifth of the files by a hash of the path, "rest" the others:
            audit the one, and fit a prior to the other.
        seed: Which n, and their order.
    """

    classes: tuple[str, ...] = ()
    """What the labels number."""

    def __init__(
        self,
        path: str,
        n: All = "all",
        size: Count | tuple[Count, Count] = 224,
        resize: Resize = "crop",
        channels: Channels = "auto",
        alpha: Alpha = "white",
        on_error: OnError = "raise",
        labels: Literal["none", "folder"] = "none",
        glob: str = "*",
        part: Part = "all",
        seed: NonNegativeInt = 0,
    ) -> None:
        folder = Folder.at(path)
        pictures, links = folder.pictures(glob)
        names = shuffled(part_of(pictures, part), seed)
        matching = "" if glob == "*" else f" that match {glob!r}"
        what = f"pictures{matching} in {folder.root}{'' if part == 'all' else f' ({part})'}"
        look = Look(size, resize, channels, alpha)
        super().__init__(folder, names, n, look, on_error, what)
        if links:
            self.facts = {**self.facts, "links to folders, not entered": ", ".join(links[:10])}
        if labels == "folder":
            self.classes = tuple(sorted({_class_of(folder, name) for name in pictures}))
            self.labels = coded([_class_of(folder, name) for name in self.ids], self.classes)
            self.facts = {**self.facts, "labels": legend(self.classes)}


def _class_of(folder: Folder, name: str) -> str:
    first, slash, _ = name.partition("/")
    if not slash:
        raise DataError(
            f'{folder.place(name)}: has no label; with labels = "folder" every picture is in a '
            f"folder of its class."
        )
    return first
