"""MedMNIST: small medical pictures in one .npz per collection, as queries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from fiber_audit import DataError
from fiber_audit.contracts import Dataset, NonNegativeInt
from fiber_audit.loading import hub, library

from .npz import rows_of, shape_of
from .order import All, first, shuffled
from .paths import path_of, stamp_of

POOL = 4
"""Reference pictures that are held, per query."""


class MedMNIST(Dataset):
    """A split of a collection of MedMNIST v2 or MedMNIST+ (Yang et al., 2023); ids as in test-17.

    It reads the file that the package `medmnist` downloads, without the package. The n pictures
    are held in memory, a byte per value; the others of the file are not.

    Args:
        flag: The collection, such as "pneumoniamnist" or "pathmnist"; those in 3D are refused.
        n: How many pictures, or "all".
        split: "train", "val" or "test".
        size: Side in pixels; each is a file of its own.
        root: The folder of the .npz files.
        label: Which column of the labels, where a collection has several.
        channels: "auto" as they are stored, "rgb" to repeat grey ones, "grey" only for grey ones.
        download: Get a missing file from Zenodo, with the package's address and checksum.
        seed: Which n, and their order.
    """

    def __init__(
        self,
        flag: str,
        n: All = "all",
        split: Literal["train", "val", "test"] = "test",
        size: Literal[28, 64, 128, 224] = 28,
        root: str = "~/.medmnist",
        label: NonNegativeInt = 0,
        channels: Literal["auto", "rgb", "grey"] = "auto",
        download: bool = False,
        seed: NonNegativeInt = 0,
    ) -> None:
        self.split = split
        self.path = _file(path_of(root), flag, size, download)
        count, *stored = shape_of(self.path, f"{split}_images")
        colour = len(stored) == 3 and stored[-1] == 3
        if not colour and len(stored) != 2:
            raise DataError(f"{self.path}: holds volumes of {stored}, and an audit needs pictures.")
        if colour and channels == "grey":
            raise DataError(
                f'queries.channels = "grey": {self.path} is in colour; leave it at auto.'
            )
        names = shuffled((f"{split}-{i}" for i in range(count)), seed)
        self.ids = tuple(first(names, n, f"pictures in {self.path} ({split})"))
        self._others = names[len(self.ids) :][: POOL * len(self.ids)]
        three = colour or channels == "rgb"
        self.data_shape = (3 if three else 1, stored[0], stored[1])
        table = rows_of(self.path, f"{split}_labels", _rows(self.ids)).reshape(len(self.ids), -1)
        if label >= table.shape[1]:
            raise DataError(f"queries.label = {label}: {self.path} has {table.shape[1]} of them.")
        self.labels = torch.from_numpy(table[:, label].astype(np.int64))
        of = f", label {label} of {table.shape[1]}" if table.shape[1] > 1 else ""
        self.facts = {"pictures": f"{len(self.ids)} of {count} of {flag}, {split}, {size} px{of}"}

    def load(self, indices: Sequence[int]) -> Tensor:
        """Pictures (len(indices), channels, size, size) in [0, 1]."""
        return self._in_data_space(self._held[list(indices)])

    def stamp(self, index: int) -> str:
        """Of the whole file, and the picture's number in it."""
        return f"{stamp_of(self.path)} {self.ids[index]}"

    def reference(self, n: int, generator: torch.Generator) -> Tensor | None:
        """N other pictures of the split; None unless there are n, and as many as queries.

        They are taken from at most four for each query, which are read once.
        """
        count = len(self._others)
        if count < max(n, len(self)):
            return None
        return self._in_data_space(self._pool[torch.randperm(count, generator=generator)[:n]])

    @cached_property
    def _held(self) -> Tensor:
        return self._read(self.ids)

    @cached_property
    def _pool(self) -> Tensor:
        return self._read(self._others)

    def _read(self, names: Sequence[str]) -> Tensor:
        return torch.from_numpy(rows_of(self.path, f"{self.split}_images", _rows(names)))

    def _in_data_space(self, stored: Tensor) -> Tensor:
        x = stored.float() / 255
        if x.ndim == 4:
            return x.permute(0, 3, 1, 2).contiguous()
        return x[:, None].repeat(1, self.data_shape[0], 1, 1)


def _rows(names: Sequence[str]) -> list[int]:
    return [int(name.rpartition("-")[2]) for name in names]


def _file(root: Path, flag: str, size: int, download: bool) -> Path:
    """The .npz of a collection, downloaded if that is asked for."""
    ending = "" if size == 28 else f"_{size}"
    path = root / f"{flag}{ending}.npz"
    if path.is_file():
        return path
    if not download:
        raise DataError(
            f"{path}: no such file; set queries.root to the folder of MedMNIST's .npz files, or "
            f"queries.download = true."
        )
    known = library("medmnist.info", "data").INFO
    if f"url{ending}" not in known.get(flag, {}):
        names = ", ".join(sorted(name for name, info in known.items() if f"url{ending}" in info))
        raise DataError(
            f"queries.flag = {flag!r}: no such collection at {size} pixels; there are: {names}."
        )
    from torchvision.datasets.utils import download_url

    url, checksum = known[flag][f"url{ending}"], known[flag][f"MD5{ending}"]
    with hub(flag, download):
        try:
            download_url(url, str(root), path.name, checksum)
        except (OSError, RuntimeError) as error:
            raise DataError(f"{path}: cannot be downloaded from {url} ({error}).") from error
    return path
