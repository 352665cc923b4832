"""Pictures in tar shards, as webdataset keeps them, as queries."""

from __future__ import annotations

from fiber_audit.contracts import Count, NonNegativeInt

from .labels import legend, numbered
from .order import All, Part, part_of, shuffled
from .picture_set import OnError, PictureSet
from .pictures import Alpha
from .resize import Channels, Look, Resize
from .tar_shards import TarShards, ending_of


class WebDataset(PictureSet):
    """Pictures of uncompressed tar files; an id is shard and member, 00000.tar/000017.jpg.

    The shards are indexed once, by their headers; a picture is then read from its place. With the
    library `webdataset` they would be a stream, and a stream has no 17th item.

    Args:
        path: A shard, a folder of .tar files, or a pattern such as "shards/val-*.tar".
        n: How many pictures, or "all".
        image: The ending of the pictures, say "jpg" or "seg.png"; "" is every picture.
        label: The ending of the labels beside them, mostly "cls", whole numbers or texts; "" is
            none.
        size: Side, or [height, width], in pixels.
        resize: "crop", "pad" (with black) or "squash".
        channels: "rgb", "grey", or "auto": grey where all n pictures are stored as grey.
        alpha: What shows through transparent pixels; "refuse" makes them an error.
        on_error: "raise", or "skip" damaged pictures.
        part: "held-out" is about a fifth of the pictures by a hash of the id, "rest" the others.
        seed: Which n, and their order.
    """

    classes: tuple[str, ...] = ()
    """What the labels number, where they are texts."""

    def __init__(
        self,
        path: str,
        n: All = "all",
        image: str = "",
        label: str = "",
        size: Count | tuple[Count, Count] = 224,
        resize: Resize = "crop",
        channels: Channels = "auto",
        alpha: Alpha = "white",
        on_error: OnError = "raise",
        part: Part = "all",
        seed: NonNegativeInt = 0,
    ) -> None:
        tars = TarShards(path)
        wanted = [name for name in tars.pictures if not image or ending_of(name) == image]
        names = shuffled(part_of(wanted, part), seed)
        what = f"pictures in {path}{'' if part == 'all' else f' ({part})'}"
        look = Look(size, resize, channels, alpha)
        super().__init__(tars, names, n, look, on_error, what)
        if label:
            chosen = [tars.beside(name, label) for name in self.ids]
            every = (tars.beside(name, label) for name in wanted)
            self.labels, self.classes = numbered(chosen, every, label)
            self.facts = {**self.facts, "labels": f"{label}: {legend(self.classes)}"}
