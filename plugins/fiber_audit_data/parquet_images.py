"""Pictures in Parquet files, as the Hugging Face hub keeps them, as queries.

Read with pyarrow. The library `datasets` would first write all of them into a cache of its own,
where a query needs one column of one row group.
"""

from __future__ import annotations

from fiber_audit.contracts import Count, NonNegativeInt

from .labels import legend, numbered
from .order import All, Part, part_of, shuffled
from .parquet_files import ParquetFiles
from .picture_set import OnError, PictureSet
from .pictures import Alpha
from .resize import Channels, Look, Resize


class ParquetImages(PictureSet):
    """Pictures of a column of Parquet files; an id is file and row, train-00000.parquet:17.

    The column holds encoded pictures: bytes, or the {bytes, path} of Hugging Face's Image feature.
    Queries stand in the order of the files, so that neighbours are read together; memory holds one
    row group.

    Args:
        path: A file, a folder of .parquet files, or a pattern such as "data/test-*.parquet".
        n: How many pictures, or "all".
        column: The column of the pictures.
        label: A column of integers or texts for the labels; "" is none.
        size: Side, or [height, width], in pixels.
        resize: "crop", "pad" (with black) or "squash".
        channels: "rgb", "grey", or "auto": grey where all n pictures are stored as grey.
        alpha: What shows through transparent pixels; "refuse" makes them an error.
        on_error: "raise", or "skip" damaged pictures.
        part: "held-out" is about a fifth of the rows by a hash of the id, "rest" the others.
        seed: Which n.
    """

    classes: tuple[str, ...] = ()
    """What the labels number, where that is known."""

    def __init__(
        self,
        path: str,
        n: All = "all",
        column: str = "image",
        label: str = "",
        size: Count | tuple[Count, Count] = 224,
        resize: Resize = "crop",
        channels: Channels = "auto",
        alpha: Alpha = "white",
        on_error: OnError = "raise",
        part: Part = "all",
        seed: NonNegativeInt = 0,
    ) -> None:
        files = ParquetFiles(path, column)
        stored = files.names
        names = shuffled(part_of(stored, part), seed)
        look = Look(size, resize, channels, alpha)
        what = f"pictures in {path}{'' if part == 'all' else f' ({part})'}"
        super().__init__(files, names, n, look, on_error, what, stored)
        if label:
            values, called = files.values(label)
            chosen = [values[name] for name in self.ids]
            self.labels, self.classes = numbered(chosen, values.values(), label)
            self.classes = tuple(called) or self.classes
            self.facts = {**self.facts, "labels": f"{label}: {legend(self.classes)}"}
